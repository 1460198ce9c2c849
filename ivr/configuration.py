"""The effective settings for people: grouped, with their meaning and their source, no secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ivr.settings import Settings, source

OTHER: Final = "Other"
# A password within an address.
USERINFO: Final = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]*@")
SECRET: Final = re.compile(r"secret|password|token|(^|_)key($|_)")
MEANINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "Service": {
        "node": "Name of this service; it owns its Asterisk by it.",
        "database_url": "Where everything is kept.",
        "state_dir": "Folder of keys, and of SQLite.",
        "shared_dir": "Folder that Asterisk sees too: recordings, own prompts.",
        "catalog": "Catalog that is loaded at the first start.",
        "log_format": "For people or for programs.",
        "log_level": "What is worth a line.",
        "drain_seconds": "How long running calls may end at a stop.",
        "ledger_seconds": "How long the ledger may take to answer.",
    },
    "Web": {
        "web_host": "Address the pages listen on.",
        "web_port": "Their port.",
        "web_proxies": "Reverse proxies whose X-Forwarded-For is believed.",
        "require_second_factor": "Roles whose logins must have a second factor.",
        "webhooks_allow_private": "Whether webhooks reach our own network.",
    },
    "Asterisk": {
        "asterisk": "Private: started by us. External: somebody else's.",
        "agi_host": "Address that Asterisk asks.",
        "agi_port": "Its port.",
        "agi_peers": "Who may ask there.",
        "ami_host": "Where the manager of Asterisk listens.",
        "ami_port": "Its port.",
        "ami_username": "Our name there.",
        "ami_secret": "Our secret there.",
        "cel_file": "Events of Asterisk, the proof of how long calls were.",
        "sip_port": "Port of the private Asterisk for calls.",
        "rtp_ports": "Its ports for voices.",
        "prompts": "Folder of what callers hear.",
    },
    "Calls": {
        "calls_max": "Most calls at once.",
        "account_calls_max": "Most calls at once of one account.",
        "slice_seconds": "Talk that is held in advance.",
        "renew_seconds": "How early the next slice is held.",
        "ring_seconds": "How long an agent's phone rings.",
        "outbound_gateway": "Who carries calls to phones.",
        "outbound_countries": "Countries that may be called.",
    },
    "Provider": {
        "provider_title": "Name on invoices.",
        "provider_address": "Address on invoices.",
        "provider_details": "Where invoices are paid to.",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """One setting in force; a secret is only said to be set or not."""

    name: str
    value: str
    source: str
    meaning: str


def configured(
    settings: Settings, environment: Mapping[str, str] | None = None
) -> dict[str, list[Configured]]:
    """List every setting by group; what has no group stands under `Other`."""
    values = settings.masked()
    groups = {group: list(names) for group, names in MEANINGS.items()}
    known = {name for names in groups.values() for name in names}
    groups[OTHER] = [name for name in values if name not in known]
    return {
        group: [
            Configured(
                name=name,
                value=_written(name, values[name]),
                source=source(name, settings, environment),
                meaning=MEANINGS.get(group, {}).get(name, ""),
            )
            for name in names
            if name in values
        ]
        for group, names in groups.items()
        if names
    }


def _written(name: str, value: object) -> str:
    if SECRET.search(name):
        return "set" if value else "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return USERINFO.sub(r"\1:***@", str(value)) if value not in {None, ""} else "none"
