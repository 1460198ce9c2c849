"""Whatever happens in whatever order: nothing is billed twice, nothing is lost, all adds up."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from billing.clock import microseconds_of
from billing.domain.invoices import CREDITS, Month, Movement, billable, lines_of, total_of

MONTHS = [Month(2026, number) for number in range(1, 7)]


@st.composite
def movements(draw: st.DrawFn) -> list[Movement]:
    count = draw(st.integers(0, 40))
    found = []
    for number in range(count):
        kind = draw(st.sampled_from(["settle", "settle", "fee", "refund", "adjustment", "payment"]))
        amount = draw(st.integers(1, 10**9))
        gives = kind in {"refund", "payment"} or (kind == "adjustment" and draw(st.booleans()))
        day = datetime(2026, draw(st.integers(1, 6)), draw(st.integers(1, 28)), tzinfo=UTC)
        found.append(
            Movement(
                transfer_id=f"t{number}", kind=kind, at_us=microseconds_of(day),
                amount=amount if gives else -amount,
                tax=draw(st.integers(0, amount)) if kind == "settle" else 0,
                service=draw(st.sampled_from(["1800", "1900"])) if kind == "settle" else None,
                tariff="standard", billed_seconds=draw(st.integers(0, 600)),
            )
        )  # fmt: skip
    return found


@given(movements(), st.sampled_from(["beginning", "end"]), st.data())
def test_each_charge_is_billed_at_most_once_and_all_totals_add_up(
    found: list[Movement], cycle: str, data: st.DataObject
) -> None:
    left = {movement.transfer_id: movement for movement in found}
    late = {name for name in left if data.draw(st.booleans())}
    invoiced: list[Month] = []
    billed: list[Movement] = []
    for month in MONTHS:
        # What is late is not there yet when its own month is billed.
        there = [
            each for name, each in left.items()
            if name not in late or Month.of(each.at_us) < month
        ]  # fmt: skip
        picked = billable(there, month, invoiced=invoiced, cycle=cycle)
        if total_of(picked) <= 0:
            continue
        lines = lines_of(picked)
        assert sum(line.total for line in lines) == total_of(picked)
        assert sum(line.quantity for line in lines) == len(picked)
        assert all(line.total == line.net + line.tax for line in lines)
        invoiced.append(month)
        billed += picked
        for each in picked:
            del left[each.transfer_id]

    assert not any(each.kind in CREDITS for each in billed)
    if invoiced:
        # Whatever came in time for the last invoice is billed, or waits for a month of its own.
        waiting = [each for name, each in left.items() if name not in late]
        waiting = [each for each in waiting if each.kind not in CREDITS]
        assert all(Month.of(each.at_us) not in invoiced for each in waiting)
