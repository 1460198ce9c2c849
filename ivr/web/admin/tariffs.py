"""Tariffs: what is in force, every version, and what a talk would cost with two of them.

The same for operators and clients, who see the tariffs of their lines and their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from billing.domain.notation import format_price
from billing.domain.rating import Charge, RateTable
from billing.domain.sessions import parts_of
from billing.domain.splits import Part
from billing.domain.tariffs import Tariff
from billing.money import Micros
from ivr.directory.model import Client, Directory, parse_pin
from ivr.directory.store import load_planned
from ivr.web import grid
from ivr.web.curves import Curve, curve
from ivr.web.explain import Line, lines_of
from ivr.web.fields import OptionalCode, OptionalLine, PageInput
from ivr.web.grid import Grid
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.lines.desk import may, read_lines
from ivr.web.lines.tariff_editor import uses_of
from ivr.web.lines.tree import brief
from ivr.web.lists import read_filter
from ivr.web.pictures import round_up
from ivr.web.portal.report import PARTIES
from ivr.web.queries.tariffs import Version, list_versions
from ivr.web.scope import CLIENTS, OPERATORS, Role, Who
from ivr.web.state import web_of

MINUTES_MAX: Final = 60
WHOLE: Final = "revenue"
USES_SHOWN: Final = 3


class SimulatorForm(PageInput):
    """A length of talk, two versions as `name@version`, and the client whose split is drawn."""

    minutes: Annotated[int, Field(ge=0, le=MINUTES_MAX)] = 10
    one: OptionalLine = None
    two: OptionalLine = None
    client: OptionalCode = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """What the asked talk costs with one version, line by line and party by party."""

    version: Version
    charge: Charge
    lines: tuple[Line, ...]
    parts: tuple[Part, ...]
    curve: Curve


async def show(request: web.Request, who: Who) -> web.Response:
    """List the tariffs and simulate a talk."""
    running = web_of(request)
    form = read_filter(request, SimulatorForm)
    lines = await read_lines(request, who)
    async with running.reading() as connection:
        planned = await load_planned(connection, running.now_us())
        seen = {parse_pin(name)[0] for name in lines.tariffs}
        versions = [one for one in await list_versions(connection) if one.name in seen]
    clients = lines.clients
    client = clients.get(form.value.client or "") or next(iter(clients.values()), None)
    chosen = _chosen(versions, form.value)
    simulated = _simulate(chosen, form.value.minutes, client, running.now_us())
    mine = who.scope.client(None) or ""
    values = {
        "form": form,
        "minutes": form.value.minutes,
        "options": [(one.label, one.label) for one in versions],
        "chosen": [one.label for one in chosen],
        "clients": sorted(clients),
        "client": client.code if client else "",
        "simulated": simulated,
        "tariffs": _list(lines, planned, f"{who.home}/tariffs"),
        "versions": _grid(versions, request.path),
        "may": who.role is Role.OPERATOR or may(who, lines, mine, "tariffs"),
    }
    return render(request, "admin/tariffs.html", who, values)


def _list(lines: Directory, planned: Mapping[str, object], base: str) -> Grid:
    return Grid(
        caption=_("Tariffs"),
        titles=(_("Tariff"), _("Version"), _("Prices"), _("Used by"), _("Planned")),
        rows=tuple(
            (
                grid.text(name, link=f"{base}/{name}"),
                grid.count(version.version),
                grid.text(brief(version.tariff)),
                grid.text(_uses(lines, name)),
                grid.text(_("yes") if name in planned else _("no")),
            )
            for name, version in sorted(lines.tariffs.items())
            if parse_pin(name)[1] is None
        ),
        empty=_("There is no tariff yet."),
    )


def _uses(lines: Directory, name: str) -> str:
    numbers = sorted({number for number, _place, _pinned in uses_of(lines, name)})
    more = len(numbers) - USES_SHOWN
    shown = ", ".join(numbers[:USES_SHOWN])
    return f"{shown} + {more}" if more > 0 else shown


def _chosen(versions: Sequence[Version], form: SimulatorForm) -> list[Version]:
    """Choose what was asked for; without that the first two, which are often of one tariff."""
    known = {version.label: version for version in versions}
    asked = [known[name] for name in (form.one, form.two) if name in known]
    return asked or list(versions[:2])


def _simulate(
    chosen: Sequence[Version], minutes: int, client: Client | None, now_us: int
) -> list[Simulated]:
    """Rate the talk, and one of every length for the curves, which share one height."""
    rated = []
    for version in chosen:
        # Fixed fees of an agreement are in its client's currency and no other.
        shared = client if client and client.currency == version.tariff.currency else None
        table = RateTable.compile(version.tariff)
        samples = [
            _amounts(table.charge(minute * 60), shared, now_us) for minute in range(MINUTES_MAX + 1)
        ]
        rated.append((version, table.charge(minutes * 60), shared, samples))
    highest = max((sum(samples[-1].values()) for *_, samples in rated), default=0)
    return [
        Simulated(
            version=version,
            charge=charge,
            lines=lines_of(charge, version.tariff),
            parts=parts_of(charge, shared.shares_at(now_us)) if shared else (),
            curve=curve(
                samples,
                kinds=[
                    kind
                    for kind in (*PARTIES, WHOLE)
                    if any(sample.get(kind) for sample in samples)
                ],
                top=round_up(max(highest, 1)),
                chosen=minutes,
                currency=charge.currency,
                edges=[tier.from_seconds for tier in version.tariff.tiers],
            ),
        )
        for version, charge, shared, samples in rated
    ]


def _amounts(charge: Charge, client: Client | None, now_us: int) -> Mapping[str, Micros]:
    if client is None:
        return {WHOLE: charge.cost}
    found: dict[str, Micros] = {}
    for part in parts_of(charge, client.shares_at(now_us)):
        found[part.kind] = found.get(part.kind, 0) + part.amount
    return found


def _grid(versions: Sequence[Version], path: str) -> Grid:
    return Grid(
        caption="Versions of tariffs",
        titles=("Tariff", "Version", "In force from", "Setup fee", "Prices", "Free", "Minimum"),
        rows=tuple(
            (
                grid.text(
                    one.name,
                    link=f"{path}?one={one.name}%40{one.version}",
                ),
                grid.count(one.version),
                grid.moment(one.in_force_us),
                grid.money(one.tariff.setup_fee, one.tariff.currency),
                grid.text(_prices(one.tariff)),
                grid.seconds(one.tariff.free_seconds),
                grid.seconds(one.tariff.minimum_seconds),
            )
            for one in versions
        ),
        empty="No tariffs are stored yet; `talkmeter catalog apply` brings them.",
    )


def _prices(tariff: Tariff) -> str:
    """Write the tiers in a line; periods of the day come on top of them."""
    tiers = ", ".join(
        (_("from %(seconds)s s", seconds=tier.from_seconds) + " " if tier.from_seconds else "")
        + format_price(tier.price, tier.per_seconds)
        for tier in tariff.tiers
    )
    return f"{tiers}; {len(tariff.periods)} periods" if tariff.periods else tiers


PAGES: Final = (
    Page(method="GET", path="/admin/tariffs", roles=OPERATORS, handler=show),
    Page(method="GET", path="/portal/tariffs", roles=CLIENTS, handler=show),
)
