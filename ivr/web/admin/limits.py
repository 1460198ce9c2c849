"""Limits against fraud: what is refused at once, and from when on an alarm opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from aiohttp import web
from pydantic import create_model

from billing.errors import InvalidInput
from billing.money import parse_amount
from ivr.directory.fraud_limits import BOUNDS, FraudLimits, changed, check, load_limits, save_limits
from ivr.web.amounts import plain_amount
from ivr.web.fields import OptionalLine, PageInput
from ivr.web.forms import attempt, read_sent
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of
from ivr.web.words import typed_amount

DIGITS_MAX: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitField:
    """A limit in words: `hint` says what happens."""

    name: str
    label: str
    hint: str


# One field of text for each limit; what it may be is checked below, where its unit is known.
LimitsForm = create_model(
    "LimitsForm",
    __base__=PageInput,
    **dict.fromkeys(BOUNDS, (OptionalLine, None)),  # type: ignore[call-overload]  # fields
)


def refusing() -> list[LimitField]:
    """Describe the limits that refuse calls."""
    return [
        _field("calls_max", _("Calls at once"), _("More are told that the line is busy.")),
        _field(
            "caller_calls",
            _("Calls of one number within an hour"),
            _("More are told that the line is busy. Hidden numbers are not counted."),
        ),
        _field(
            "account_talk_seconds",
            _("Talk of one account on one day, in seconds"),
            _("The talk ends there; further calls hear that the limit of the day is reached."),
        ),
        _field(
            "account_spend",
            _("Spending of one account on one day"),
            _("In the account's currency. A line may have a limit of its own besides."),
        ),
    ]


def watching() -> list[LimitField]:
    """Describe the limits that open alarms."""
    return [
        _field("pumping_calls", _("Calls from one number to one DID within an hour"), ""),
        _field(
            "pumping_prefix_calls",
            _("Calls from numbers that begin alike to one client within an hour"),
            _("Numbers with the same first seven digits, at least three of them."),
        ),
        _field("long_seconds", _("A talk is very long from, in seconds"), ""),
        _field("long_percent", _("Share of very long talks, in percent"), ""),
        _field("short_seconds", _("A talk is very short up to, in seconds"), ""),
        _field("short_percent", _("Share of very short talks, in percent"), ""),
        _field(
            "revenue_times",
            _("A client's revenue of an hour, in times its usual hour"),
            _("Usual is the average of the seven days before."),
        ),
        _field(
            "spend_times",
            _("An account's spending of a day, in times its usual day"),
            _("Usual is the average of its days with calls, of the last thirty."),
        ),
        _field("pin_locks", _("Accounts and numbers locked after wrong PINs"), ""),
        _field("disk_percent", _("Disk used, in percent"), ""),
    ]


def _field(name: str, label: str, hint: str) -> LimitField:
    return LimitField(name=name, label=label, hint=hint)


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the limits."""
    async with web_of(request).reading() as connection:
        limits = await load_limits(connection)
    return _page(request, who, typed=written(limits), errors={})


def _page(
    request: web.Request, who: Who, *, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    values = {
        "refusing": refusing(),
        "watching": watching(),
        "typed": typed,
        "errors": errors,
        "saved": "saved" in request.query,
        "defaults": written(FraudLimits()),
    }
    return render(request, "admin/limits.html", who, values, status=422 if errors else 200)


async def save(request: web.Request, who: Who) -> web.StreamResponse:
    """Set all limits; what is left empty is no limit."""
    sent = await read_sent(request, LimitsForm)
    if sent.value is None:
        return _page(request, who, typed=sent.typed, errors=sent.errors)
    wanted, errors = _read(sent.value.model_dump())
    if wanted is None:
        return _page(request, who, typed=sent.typed, errors=errors)
    running = web_of(request)
    before, refused = await attempt(save_limits(running.deps.engine, wanted))
    if before is None:
        return _page(request, who, typed=sent.typed, errors={"calls_max": refused})
    for name, (old, new) in changed(before, wanted).items():
        await running.note(who, "set limit", name, before=write(name, old), after=write(name, new))
    raise web.HTTPSeeOther("/admin/limits?saved=1")


def _read(values: Mapping[str, Any]) -> tuple[FraudLimits | None, dict[str, str]]:  # Any: text
    found: dict[str, int | None] = {}
    errors: dict[str, str] = {}
    for name, text in values.items():
        try:
            found[name] = None if text is None else _number(name, text)
            check(name, found[name])
        except (InvalidInput, ValueError):
            bounds = BOUNDS[name]
            errors[name] = _("Write %(low)s to %(high)s, or nothing.") % {
                "low": write(name, bounds.low),
                "high": write(name, bounds.high),
            }
    return (None if errors else FraudLimits(**found)), errors


def _number(name: str, text: str) -> int:
    if BOUNDS[name].unit == "money":
        return parse_amount(plain_amount(text))
    if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX):
        raise InvalidInput(reason="not a number")
    return int(text)


def write(name: str, value: int | None) -> str:
    """Write a limit as it is typed."""
    if value is None:
        return ""
    return typed_amount(value) if BOUNDS[name].unit == "money" else str(value)


def written(limits: FraudLimits) -> dict[str, str]:
    """Write all of them."""
    return {name: write(name, value) for name, value in asdict(limits).items()}


PAGES: Final = (
    Page(method="GET", path="/admin/limits", roles=OPERATORS, handler=show),
    Page(method="POST", path="/admin/limits", roles=OPERATORS, handler=save, right=Right.USERS),
)
