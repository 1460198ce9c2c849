"""Why a call cost what it cost: rated again by its own price version, line by line.

The booked amounts are the truth; what is computed here only explains them, and says so when the
two should ever differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from billing.clock import moment_of
from billing.domain.rating import Charge, RateTable, seconds_of
from billing.domain.tariffs import Tariff, Tax
from billing.money import Micros, Rounding
from billing.storage.ledger import shares_from_json
from ivr.web.language import gettext as _
from ivr.web.queries.calls import CallDetail, Party
from ivr.web.words import count, plain_money

METHODS: Final = {
    Rounding.UP: "up",
    Rounding.DOWN: "down",
    Rounding.HALF_UP: "half up",
    Rounding.HALF_EVEN: "half even",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One summand of the cost. Seconds and price are None for fees and roundings."""

    label: str
    seconds: int | None
    price: Micros | None
    per_seconds: int
    amount: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyLine:
    """One party's share with the basis points it follows from; None when none are known."""

    party: Party
    basis_points: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The lines add up to `cost`; `agrees` says that this is also what was booked."""

    talk_us: int
    charged_seconds: int
    billed_seconds: int
    lines: tuple[Line, ...]
    cost: Micros
    agrees: bool
    notes: tuple[str, ...]


def explain(detail: CallDetail) -> Explanation | None:
    """Explain a settled call; None for any other."""
    item = detail.item
    if item.session_state != "settled" or detail.tariff_body is None or detail.priced_us is None:
        return None
    tariff = Tariff.from_json(detail.tariff_body)
    table = RateTable.compile(
        tariff, started_at=moment_of(detail.priced_us), timezone=detail.timezone or "UTC"
    )
    begun = seconds_of(item.talk_us)
    covered = min(begun, detail.covered_seconds)
    charge = table.charge(min(begun, detail.granted_seconds) - covered)
    return Explanation(
        talk_us=item.talk_us,
        charged_seconds=charge.talk_seconds,
        billed_seconds=charge.billed_seconds,
        lines=lines_of(charge, tariff),
        cost=charge.cost,
        agrees=charge.cost == item.cost,
        notes=tuple(_notes(charge, tariff, begun=begun - covered, covered=covered)),
    )


def lines_of(charge: Charge, tariff: Tariff) -> tuple[Line, ...]:
    """Name the summands of a cost; they add up to it."""
    lines = []
    if charge.setup_fee:
        lines.append(_fee(_("Setup fee"), charge.setup_fee))
    last = len(charge.lines) - 1
    position = 0
    for number, line in enumerate(charge.lines):
        until = position + line.seconds
        lines.append(
            Line(
                label=_label(position + 1, until, free=line.price == 0),
                seconds=line.seconds,
                price=line.price,
                per_seconds=line.per_seconds,
                amount=line.amount,
            )
        )
        position = until
        if number == last and charge.adjustment:
            lines.append(_fee(_adjustment(charge, tariff), charge.adjustment))
    if tariff.tax is not None and charge.tax and not charge.tax_included:
        lines.append(_fee(_tax(tariff.tax), charge.tax))
    return tuple(lines)


def _tax(tax: Tax) -> str:
    whole, part = divmod(tax.basis_points, 100)
    point = plain_money(0)[1]
    rate = f"{whole}{point}{part:02d}".rstrip("0").rstrip(point)
    return f"{tax.name} {rate} %"


def _label(first: int, last: int, *, free: bool) -> str:
    seconds = (
        _("Second %(first)s to %(last)s", first=count(first), last=count(last))
        if first < last
        else _("Second %(last)s", last=count(last))
    )
    return _("%(seconds)s, free of charge", seconds=seconds) if free else seconds


def _fee(label: str, amount: Micros) -> Line:
    return Line(label=label, seconds=None, price=None, per_seconds=0, amount=amount)


def _adjustment(charge: Charge, tariff: Tariff) -> str:
    """Name what changed the sum; minimum and maximum hide the rounding inside them."""
    if tariff.minimum_cost and charge.cost == tariff.minimum_cost and charge.adjustment > 0:
        return _("Up to the minimum cost of a call")
    if charge.cost == tariff.maximum_cost and charge.adjustment < 0:
        return _("Down to the maximum cost of a call")
    rule = tariff.rounding
    return _(
        "Rounding (%(method)s, %(decimals)s decimals, once at the end)",
        method=_(METHODS[rule.method]),
        decimals=rule.decimals,
    )


def _notes(charge: Charge, tariff: Tariff, *, begun: int, covered: int) -> list[str]:
    notes = []
    if covered:
        notes.append(
            _("%(seconds)s seconds were paid by a plan, and cost no money.", seconds=count(covered))
        )
    if tariff.tax is not None and charge.tax_included:
        notes.append(
            _(
                "%(tax)s is in the cost: %(amount)s.",
                tax=_tax(tariff.tax),
                amount=plain_money(charge.tax),
            )
        )
    if begun != charge.talk_seconds:
        notes.append(
            _(
                "Only %(held)s of %(begun)s begun seconds were held for, "
                "and no more than that is ever charged.",
                held=count(charge.talk_seconds),
                begun=count(begun),
            )
        )
    if charge.billed_seconds > charge.talk_seconds:
        steps = sorted({tier.increment_seconds for tier in tariff.tiers})
        names = _(" and ").join(f"{step} s" for step in steps)
        notes.append(
            _(
                "Billed time is rounded up to whole increments (%(steps)s) "
                "and to the minimum of %(seconds)s s.",
                steps=names,
                seconds=tariff.minimum_seconds,
            )
            if tariff.minimum_seconds
            else _("Billed time is rounded up to whole increments (%(steps)s).", steps=names)
        )
    return notes


def parties(detail: CallDetail) -> tuple[PartyLine, ...]:
    """Put each booked share beside the percentage that was agreed when the call began."""
    agreed: dict[tuple[str, str], int] = {}
    if detail.shares:
        # A commission is no percentage of the cost: beside it stands none.
        agreed = {
            (share.kind, share.account): share.basis_points
            for share in shares_from_json(detail.shares)
            if share.of is None
        }
    return tuple(
        PartyLine(party=party, basis_points=agreed.get((party.kind, party.account)))
        for party in detail.parties
    )
