"""The form of a client: typed fields to an agreement and rules, and back; mistakes by field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Final, TypeVar

from billing.clock import microseconds_of, moment_of
from billing.domain.agreements import REFERRER, Referrer
from billing.domain.notation import format_percent, parse_percent
from billing.domain.splits import PROVIDER, Share, check_shares
from billing.errors import BillingError, InvalidShares
from billing.ids import CODE
from ivr.directory.catalog_clients import TITLE_MAX
from ivr.directory.catalog_parties import with_fixed_fee
from ivr.directory.catalog_words import currency, not_negative, title
from ivr.directory.model import Client
from ivr.directory.rules import CALLS_MAX, COUNTRY, ClientRules
from ivr.web.language import gettext as _
from ivr.web.words import typed_amount

# How many further parties and commissions a form has room for; more come by the catalog.
ROWS: Final = 4
KINDS: Final = ("reseller", REFERRER)
Value = TypeVar("Value")


@dataclass(slots=True)
class Reading:
    """What was typed, and what is wrong with it."""

    typed: Mapping[str, str]
    errors: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a field without spaces around it."""
        return self.typed.get(name, "").strip()

    def read(self, name: str, parse: Callable[[str], Value], default: Value) -> Value:
        """Read a field that may be empty."""
        text = self.text(name)
        if not text:
            return default
        try:
            return parse(text)
        except BillingError as error:
            self.errors[name] = str(error).removeprefix("invalid input: ")
        except ValueError as error:
            self.errors[name] = str(error)
        return default

    def need(self, name: str, parse: Callable[[str], Value], default: Value) -> Value:
        """Read a field that must be there."""
        if not self.text(name):
            self.errors[name] = _("Please fill this in.")
        return self.read(name, parse, default)


def fits(client: Client) -> bool:
    """Tell whether a client can be edited here at all."""
    others = [share for share in client.shares if share.kind in KINDS]
    plain = len(client.shares) - len(others)
    return len(others) <= ROWS and len(client.referrers) <= ROWS and plain <= 2


def typed_of(client: Client) -> dict[str, str]:
    """Fill the form from a client."""
    typed = {"title": client.title, "currency": client.currency, "provider": "0", "client": "0"}
    others = 0
    for share in client.shares:
        part = format_percent(share.basis_points).removesuffix("%")
        if share.kind in KINDS:
            typed |= {
                f"other_kind_{others}": share.kind,
                f"other_code_{others}": share.account,
                f"other_share_{others}": part,
            }
            others += 1
        else:
            typed[share.kind] = part
        if share.fixed_fee:
            typed["fee"] = typed_amount(share.fixed_fee)
    for number, each in enumerate(client.referrers):
        typed |= {
            f"ref_code_{number}": each.account,
            f"ref_share_{number}": format_percent(each.basis_points).removesuffix("%"),
            f"ref_from_{number}": _day_of(each.from_us),
            f"ref_until_{number}": _day_of(each.until_us),
            f"ref_bonus_{number}": typed_amount(each.bonus) if each.bonus else "",
        }
    if client.rules.calls_max is not None:
        typed["calls_max"] = str(client.rules.calls_max)
    typed["countries"] = ", ".join(client.rules.countries)
    return typed


def read_client(reading: Reading, code: str, old: Client | None) -> Client | None:
    """Read a client; None when `reading.errors` says what is wrong."""
    money = old.currency if old else reading.need("currency", currency, "USD")
    shares = with_fixed_fee(_shares(reading, code), reading.read("fee", not_negative, 0))
    client = Client(
        code=code,
        title=reading.need("title", title(TITLE_MAX), code),
        currency=money,
        shares=shares,
        referrers=_referrers(reading, old),
        rules=_rules(reading, old),
    )
    if not reading.errors:
        try:
            check_shares(client.shares)
            check_shares((*client.shares, *(each.share for each in client.referrers)))
        except InvalidShares as error:
            reading.errors["split"] = str(error.facts["reason"])
    return None if reading.errors else client


def _shares(reading: Reading, code: str) -> tuple[Share, ...]:
    shares = []
    for kind, account in ((PROVIDER, PROVIDER), ("client", code)):
        points = reading.read(kind, _percent, 0)
        if points:
            shares.append(Share(kind=kind, account=account, basis_points=points))
    for number in range(ROWS):
        names = [f"other_{name}_{number}" for name in ("kind", "code", "share")]
        if not any(reading.text(name) for name in names[1:]):
            continue
        shares.append(
            Share(
                kind=reading.need(names[0], _kind, KINDS[0]),
                account=reading.need(names[1], _code, ""),
                basis_points=reading.need(names[2], _percent, 0),
            )
        )
    return tuple(shares)


def _referrers(reading: Reading, old: Client | None) -> tuple[Referrer, ...]:
    known = {each.account: each for each in old.referrers} if old else {}
    found = []
    for number in range(ROWS):
        if not any(reading.text(f"ref_{name}_{number}") for name in ("code", "share", "bonus")):
            continue
        code = reading.need(f"ref_code_{number}", _code, "")
        before = known.get(code)
        each = Referrer(
            account=code,
            basis_points=reading.need(f"ref_share_{number}", _percent, 0),
            from_us=_moment(reading, f"ref_from_{number}", before.from_us if before else None),
            until_us=_moment(reading, f"ref_until_{number}", before.until_us if before else None),
            bonus=reading.read(f"ref_bonus_{number}", not_negative, 0),
        )
        if each.from_us is not None:
            try:
                each.starting(each.from_us)
            except InvalidShares as error:
                reading.errors[f"ref_until_{number}"] = str(error.facts["reason"])
        found.append(each)
    if len({each.account for each in found}) != len(found):
        reading.errors["split"] = _("A referrer stands there twice.")
    return tuple(found)


def _rules(reading: Reading, old: Client | None) -> ClientRules:
    words = re.split(r"[\s,;]+", reading.text("countries").upper())
    countries = tuple(dict.fromkeys(word for word in words if word))
    if any(not COUNTRY.fullmatch(word) for word in countries):
        reading.errors["countries"] = _("Write two letters each, such as DE, LT.")
    before = old.rules if old else ClientRules()
    return replace(before, calls_max=reading.read("calls_max", _calls, None), countries=countries)


def _moment(reading: Reading, name: str, before: int | None) -> int | None:
    """Read a day; the one that stood there keeps its exact moment."""
    if reading.text(name) and reading.text(name) == _day_of(before):
        return before
    day = reading.read(name, date.fromisoformat, None)
    return microseconds_of(datetime(day.year, day.month, day.day, tzinfo=UTC)) if day else None


def _day_of(at_us: int | None) -> str:
    return f"{moment_of(at_us):%Y-%m-%d}" if at_us is not None else ""


def _percent(text: str) -> int:
    return parse_percent(f"{text.removesuffix('%').strip()}%")


def _code(text: str) -> str:
    if not CODE.fullmatch(text):
        raise ValueError(_("use a-z, 0-9, dot, dash and underscore, at most 64"))
    return text


def _kind(text: str) -> str:
    if text not in KINDS:
        raise ValueError(_("choose one of the list"))
    return text


def _calls(text: str) -> int | None:
    if not text.isdecimal() or not 0 < int(text) <= CALLS_MAX:
        raise ValueError(_("write a number from 1 to %(most)s") % {"most": CALLS_MAX})
    return int(text)
