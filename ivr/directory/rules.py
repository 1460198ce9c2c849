"""What a line and a topic allow: when they are open, how long a talk may last, how many at once.

Kept as JSON beside the DID and the topic; a rule that is not given is not written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from billing.domain.notation import (
    format_days,
    format_duration,
    parse_days,
    parse_duration,
    parse_minute,
)
from billing.domain.periods import is_within
from billing.domain.tariffs import Window, is_holiday
from billing.errors import InvalidInput
from billing.ids import CODE
from billing.money import Micros, format_amount
from ivr.directory.catalog_words import form, not_negative, one_of, truth
from ivr.directory.limits import ClientLimits, limits_document, read_limits
from ivr.directory.yaml_reader import Node

CALLS_MAX: Final = 100_000
COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)
LANGUAGES: Final = ("en", "de", "es", "ru")
Document = dict[str, Any]  # Any: YAML and JSON values


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """When something is open, by the clock of the DID; always, where no hours are given."""

    hours: tuple[Window, ...] = ()
    holidays: tuple[str, ...] = ()

    def is_open(self, local: datetime) -> bool:
        """Tell whether it is open at a local time; a holiday is a day of its own."""
        return not self.hours or is_within(self.hours, self.holidays, local)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRules:
    """Rules of a DID. `spend_limit` is for callers who are known by caller id only.

    A premium line has a `carrier`: the account that owes what the carrier pays out for a talk, by
    the DID's tariff. `announced` is the tariff that its callers pay to their own operator.
    """

    opening: Opening = field(default_factory=Opening)
    maximum_talk_seconds: int | None = None
    calls_max: int | None = None
    spend_limit: Micros | None = None
    confirm_price: bool = False
    ask_rating: bool = False
    # The first is the line's own; a caller may choose among several.
    languages: tuple[str, ...] = ()
    carrier: str | None = None
    announced: str | None = None
    # What an account may spend on this line on one day of its clock.
    daily_limit: Micros | None = None
    # Agents may put a caller through to another topic or agent.
    transfers: bool = False
    # Talks are recorded, which is announced, and kept for so many days.
    record_days: int | None = None
    # Operators and the client may listen to talks, which is announced.
    listen: bool = False
    # Closed for good: no call comes in, no monthly fee; calls of before keep their line.
    retired: bool = False

    def to_json(self) -> str:
        """Write what differs from the default."""
        return _written(self)

    @staticmethod
    def from_json(text: str) -> LineRules:
        """Read what `to_json` wrote."""
        body = json.loads(text)
        languages = tuple(body.get("languages", ()))
        return LineRules(**{**body, "opening": _opening(body), "languages": languages})


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRules:
    """Rules of a topic: a `hidden` one is not offered but can be pressed.

    With `accept` an agent presses 1 before it is put through, as on a mobile phone.
    """

    opening: Opening = field(default_factory=Opening)
    hidden: bool = False
    enabled: bool = True
    accept: bool = False
    # What a caller gets when the topic is closed or nobody answers.
    otherwise: str = ""

    def to_json(self) -> str:
        """Write what differs from the default."""
        return _written(self)

    @staticmethod
    def from_json(text: str) -> TopicRules:
        """Read what `to_json` wrote."""
        body = json.loads(text)
        return TopicRules(**{**body, "opening": _opening(body)})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRules:
    """Rules of a client: calls at once on all its lines, and countries its topics may dial.

    Without countries it may dial all that the installation may. `limits` are those of its own
    logins, when they change lines and prices. The lines of a client that is `suspended` take no
    new call; live ones go on.
    """

    calls_max: int | None = None
    countries: tuple[str, ...] = ()
    limits: ClientLimits = field(default_factory=ClientLimits)
    suspended: bool = False

    def to_json(self) -> str:
        """Write what differs from the default."""
        return _written(self)

    @staticmethod
    def from_json(text: str) -> ClientRules:
        """Read what `to_json` wrote."""
        body = json.loads(text)
        limits = ClientLimits.from_body(body.pop("limits", {}))
        return ClientRules(
            **{**body, "countries": tuple(body.get("countries", ())), "limits": limits}
        )


LINE_FIELDS: Final = frozenset(
    {
        "hours",
        "holidays",
        "maximum_talk",
        "calls_max",
        "confirm_price",
        "ask_rating",
        "languages",
        "carrier",
        "announced",
        "transfers",
        "record",
        "listen",
        "retired",
    }
)
TOPIC_FIELDS: Final = frozenset({"hours", "holidays", "hidden", "enabled", "accept", "otherwise"})
CLIENT_FIELDS: Final = frozenset({"calls_max", "countries", "limits", "suspended"})
ACCESS_FIELDS: Final = frozenset({"spend_limit", "daily_limit"})
OTHERWISE: Final = ("voicemail", "callback")
RECORD_DAYS_MAX: Final = 3_650


def read_line_rules(nodes: Mapping[str, Node], access: Node) -> LineRules:
    """Read the rules of a DID from its fields."""
    return LineRules(
        opening=_read_opening(nodes),
        maximum_talk_seconds=nodes["maximum_talk"].read(_seconds, None),
        calls_max=nodes["calls_max"].read(_count, None),
        spend_limit=_amount(access.at("spend_limit")),
        daily_limit=_amount(access.at("daily_limit")),
        confirm_price=nodes["confirm_price"].read(truth, default=False),
        ask_rating=nodes["ask_rating"].read(truth, default=False),
        languages=tuple(
            child.read(one_of(*LANGUAGES), "en") for child in nodes["languages"].list()
        ),
        carrier=nodes["carrier"].read(form(CODE, "the code of an account"), "") or None,
        announced=nodes["announced"].text() or None,
        transfers=nodes["transfers"].read(truth, default=False),
        record_days=nodes["record"].read(_days, None),
        listen=nodes["listen"].read(truth, default=False),
        retired=nodes["retired"].read(truth, default=False),
    )


def read_topic_rules(nodes: Mapping[str, Node]) -> TopicRules:
    """Read the rules of a topic from its fields."""
    return TopicRules(
        opening=_read_opening(nodes),
        hidden=nodes["hidden"].read(truth, default=False),
        enabled=nodes["enabled"].read(truth, default=True),
        accept=nodes["accept"].read(truth, default=False),
        otherwise=nodes["otherwise"].read(one_of(*OTHERWISE), ""),
    )


def read_client_rules(nodes: Mapping[str, Node]) -> ClientRules:
    """Read the rules of a client from its fields."""
    return ClientRules(
        calls_max=nodes["calls_max"].read(_count, None),
        countries=tuple(
            child.read(form(COUNTRY, "two capital letters such as DE"), "")
            for child in nodes["countries"].list()
        ),
        limits=read_limits(nodes["limits"]),
        suspended=nodes["suspended"].read(truth, default=False),
    )


def line_document(rules: LineRules) -> Document:
    """Write the fields of a DID that its rules make; the spend limit is part of its access."""
    document = _opening_document(rules.opening)
    if rules.maximum_talk_seconds is not None:
        document["maximum_talk"] = format_duration(rules.maximum_talk_seconds)
    if rules.calls_max is not None:
        document["calls_max"] = rules.calls_max
    if rules.languages:
        document["languages"] = list(rules.languages)
    if rules.record_days is not None:
        document["record"] = f"{rules.record_days}d"
    if rules.listen:
        document["listen"] = True
    plain = ("confirm_price", "ask_rating", "carrier", "announced", "transfers", "retired")
    return document | {name: value for name in plain if (value := getattr(rules, name))}


def access_document(rules: LineRules) -> Document:
    """Write what of the rules belongs to the access of a DID."""
    limits = {"spend_limit": rules.spend_limit, "daily_limit": rules.daily_limit}
    return {name: format_amount(limit) for name, limit in limits.items() if limit is not None}


def client_document(rules: ClientRules) -> Document:
    """Write the fields of a client that its rules make."""
    document: Document = {}
    if rules.calls_max is not None:
        document["calls_max"] = rules.calls_max
    if rules.countries:
        document["countries"] = list(rules.countries)
    if rules.suspended:
        document["suspended"] = True
    if limits := limits_document(rules.limits):
        document["limits"] = limits
    return document


def topic_document(rules: TopicRules) -> Document:
    """Write the fields of a topic that its rules make."""
    document = _opening_document(rules.opening)
    if rules.hidden:
        document["hidden"] = True
    if not rules.enabled:
        document["enabled"] = False
    if rules.accept:
        document["accept"] = True
    if rules.otherwise:
        document["otherwise"] = rules.otherwise
    return document


def _read_opening(nodes: Mapping[str, Node]) -> Opening:
    hours = tuple(_window(child) for child in nodes["hours"].list())
    holidays = tuple(child.read(_holiday, "01-01") for child in nodes["holidays"].list())
    return Opening(hours=hours, holidays=holidays)


def _window(node: Node) -> Window:
    nodes = node.map(frozenset({"days", "from", "to"}))
    return Window(
        days=nodes["days"].read(parse_days, parse_days("daily")),
        from_minute=nodes["from"].need().read(parse_minute, 0),
        to_minute=nodes["to"].need().read(parse_minute, 0),
    )


def _opening_document(opening: Opening) -> Document:
    document: Document = {}
    if opening.hours:
        document["hours"] = [
            {
                "days": format_days(window.days),
                "from": _time(window.from_minute),
                "to": _time(window.to_minute),
            }
            for window in opening.hours
        ]
    if opening.holidays:
        document["holidays"] = list(opening.holidays)
    return document


def _time(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _holiday(text: str) -> str:
    if not is_holiday(text):
        raise InvalidInput(reason="write a day such as 2026-12-25, or 12-25 for every year")
    return text


def _seconds(text: str) -> int | None:
    seconds = parse_duration(text)
    if seconds <= 0:
        raise InvalidInput(reason="write a time such as 60m")
    return seconds


def _days(text: str) -> int | None:
    number = text.removesuffix("d")
    if not (text.endswith("d") and number.isdecimal() and 0 < int(number) <= RECORD_DAYS_MAX):
        raise InvalidInput(reason=f"write for how many days, 1d to {RECORD_DAYS_MAX}d")
    return int(number)


def _amount(node: Node) -> Micros | None:
    return node.read(not_negative, 0) if node.given else None


def _count(text: str) -> int | None:
    if not text.isdecimal() or not 0 < int(text) <= CALLS_MAX:
        raise InvalidInput(reason=f"write a number from 1 to {CALLS_MAX}")
    return int(text)


def _written(rules: LineRules | TopicRules | ClientRules) -> str:
    body: Document = {}
    default = type(rules)()
    for each in fields(rules):
        value = getattr(rules, each.name)
        if value != getattr(default, each.name):
            body[each.name] = asdict(value) if isinstance(value, Opening | ClientLimits) else value
    for window in body.get("opening", {}).get("hours", ()):
        window["days"] = sorted(window["days"])
    return json.dumps(body, sort_keys=True, separators=(",", ":"))


def _opening(body: Document) -> Opening:
    found = body.get("opening", {})
    return Opening(
        hours=tuple(
            Window(
                days=frozenset(window["days"]),
                from_minute=window["from_minute"],
                to_minute=window["to_minute"],
            )
            for window in found.get("hours", ())
        ),
        holidays=tuple(found.get("holidays", ())),
    )
