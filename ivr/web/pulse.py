"""The pulse of the lines, for operators and for clients: what happens now and how today goes.

It ticks: a fragment each few seconds, read once for all who look. Alarms stand on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from aiohttp import web

from billing.money import MICROS_PER_UNIT, Micros
from ivr.alarms.store import open_alarms
from ivr.web.alarm_words import AlarmWords, words
from ivr.web.call_pages import live_rows
from ivr.web.guard import Page, render
from ivr.web.pictures import Chart, bars_by_minute, chart
from ivr.web.queries.pulse import (
    DAY_US,
    DaySold,
    Hour,
    Sums,
    from_midnight,
    last_hour,
    paid_in,
    sold,
    span_of,
    sums,
    unanswered_today,
)
from ivr.web.scope import CLIENTS, OPERATORS, Role, Who
from ivr.web.state import Web, web_of
from ivr.web.words import clock_minute

DAYS: Final = 14
HOUR_SECONDS: Final = 3.0
MONEY_SECONDS: Final = 10.0
PAID_SECONDS: Final = 30.0
ALARMS_SHOWN: Final = 5
BASIS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidIn:
    """What came in today and until the same time a week ago."""

    today: Micros
    week_ago: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """Everything that ticks on the first page."""

    hour: Hour
    minutes: Chart
    unanswered: int
    sums: tuple[Sums, ...]
    charts: tuple[tuple[str, Chart], ...]
    paid: dict[str, PaidIn]
    alarms: tuple[AlarmWords, ...]
    more_alarms: int
    talking: int
    waiting: int
    live: int

    @property
    def paid_calls(self) -> int:
        """Calls of today that were paid for."""
        return sum(one.calls for one in self.sums)

    @property
    def unanswered_share(self) -> int | None:
        """Of all calls of today, those without an answer, in hundredths of a percent."""
        calls = self.paid_calls + self.unanswered
        return self.unanswered * BASIS // calls if calls else None

    @property
    def talk_seconds(self) -> float | None:
        """How long a talk of today lasts on average."""
        calls = self.paid_calls
        return sum(one.talk_us for one in self.sums) / calls / MICROS_PER_UNIT if calls else None


async def read_pulse(request: web.Request, who: Who) -> Pulse:
    """Read the pulse of what the visitor may see; what others have just read serves, too."""
    running = web_of(request)
    client = who.scope.subject if who.role is Role.CLIENT else None
    key = client or ""
    today = running.now().date()
    hour = await running.shared.get(
        f"hour:{key}", lambda: _hour(running, client), seconds=HOUR_SECONDS
    )
    unanswered, rows = await running.shared.get(
        f"days:{key}", lambda: _days(running, client, today), seconds=MONEY_SECONDS
    )
    paid: dict[str, PaidIn] = {}
    alarms: Sequence[AlarmWords] = ()
    if who.role is Role.OPERATOR:
        paid = await running.shared.get("paid", lambda: _paid(running, today), seconds=PAID_SECONDS)
        alarms = await _alarms(running)
    currencies = sorted({row.currency for row in rows} | set(paid)) or _currencies(running, client)
    live = live_rows(request, who.scope).calls
    return Pulse(
        hour=hour,
        minutes=_minutes(hour),
        unanswered=unanswered,
        sums=tuple(sums(rows, currency, today) for currency in currencies),
        charts=tuple((currency, _chart(rows, currency, today)) for currency in currencies),
        paid=paid,
        alarms=tuple(alarms[:ALARMS_SHOWN]),
        more_alarms=max(0, len(alarms) - ALARMS_SHOWN),
        talking=sum(call.state == "talking" for call in live),
        waiting=sum(call.state == "waiting" for call in live),
        live=len(live),
    )


def _currencies(running: Web, client: str | None) -> list[str]:
    clients = running.deps.directory().clients
    if client is not None:
        return [clients[client].currency] if client in clients else []
    return sorted({one.currency for one in clients.values()})


async def _hour(running: Web, client: str | None) -> Hour:
    async with running.reading() as connection:
        return await last_hour(connection, running.now_us(), client=client)


async def _days(running: Web, client: str | None, today: date) -> tuple[int, list[DaySold]]:
    async with running.reading() as connection:
        rows = await sold(connection, span_of(today, days=DAYS), client=client)
        return await unanswered_today(connection, running.now_us(), client=client), rows


async def _paid(running: Web, today: date) -> dict[str, PaidIn]:
    midnight, now_us = from_midnight(today), running.now_us() + 1
    async with running.reading() as connection:
        now = await paid_in(connection, midnight, now_us)
        week = await paid_in(connection, midnight - 7 * DAY_US, now_us - 7 * DAY_US)
    return {
        currency: PaidIn(today=now.get(currency, 0), week_ago=week.get(currency, 0))
        for currency in {*now, *week}
    }


async def _alarms(running: Web) -> list[AlarmWords]:
    """Put those into words that nobody looks after; the worst first."""
    async with running.reading() as connection:
        on = await open_alarms(connection)
    found = [words(alarm) for alarm in on if alarm.acknowledged_us is None]
    return sorted(found, key=lambda one: one.alarm.severity != "bad")


def _minutes(hour: Hour) -> Chart:
    return bars_by_minute(
        [
            (
                clock_minute(one.from_us),
                {"answered": one.answered, "unanswered": one.unanswered},
            )
            for one in hour.minutes
        ],
        kinds=("answered", "unanswered"),
    )


def _chart(rows: Sequence[DaySold], currency: str, today: date) -> Chart:
    span = [today - timedelta(days=DAYS - 1 - number) for number in range(DAYS)]
    days: dict[date, dict[str, Micros]] = {day: {} for day in span}
    for row in rows:
        if row.currency == currency and row.day in days:
            days[row.day]["revenue"] = row.gross
    return chart(days, kinds=("revenue",), currency=currency)


async def fragment(request: web.Request, who: Who) -> web.Response:
    """Answer what ticks, alone."""
    return render(request, "partials/pulse.html", who, await pulse_values(request, who))


async def pulse_values(request: web.Request, who: Who) -> dict[str, Any]:  # Any: what pages show
    """Make what the fragment shows."""
    running = web_of(request)
    return {
        "pulse": await read_pulse(request, who),
        "ready": dict(running.deps.ready()),
        "weekday": running.now().date() - timedelta(days=7),
        "days": DAYS,
    }


async def board(request: web.Request, who: Who) -> web.Response:
    """Show a client how its lines go today."""
    values = {**await pulse_values(request, who), "live": live_rows(request, who.scope)}
    return render(request, "portal/today.html", who, values)


PAGES: Final = (
    Page(method="GET", path="/admin/pulse", roles=OPERATORS, handler=fragment),
    Page(method="GET", path="/portal/today", roles=CLIENTS, handler=board),
    Page(method="GET", path="/portal/today/pulse", roles=CLIENTS, handler=fragment),
)
