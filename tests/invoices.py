"""Words for tests of postpaid billing: calls, charges, and the end of a month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from billing.clock import microseconds_of
from billing.domain.invoices import Month
from billing.domain.operations import AccountRef, Post, PostedEntry
from billing.domain.splits import Share
from billing.domain.tariffs import Tariff
from billing.ids import new_id
from billing.invoicing import Invoicing
from billing.money import Micros, parse_amount
from billing.receivables import Receivables
from tests.books import SHARES, Desk, flat

MARCH = Month(2026, 3)
APRIL = Month(2026, 4)
MAY = Month(2026, 5)
CHEAP = flat("0.60")
TAXED = (
    Share(kind="provider", account="provider", basis_points=2_000),
    Share(kind="client", account="acme", basis_points=6_000),
    Share(kind="tax", account="vat", basis_points=2_000),
)


@dataclass
class Office:
    """A desk with what bills its callers."""

    desk: Desk
    invoicing: Invoicing
    receivables: Receivables
    calls: int = 0

    async def call(
        self,
        account: str,
        seconds: int,
        tariff: Tariff = CHEAP,
        *,
        shares: tuple[Share, ...] = SHARES,
    ) -> Micros:
        """Sell one session now; return its cost."""
        self.calls += 1
        terms = await self.desk.terms(
            f"call-{self.calls}-{account}", account, tariff, shares=shares
        )
        grant = await self.desk.charging.open(
            terms, slice_seconds=max(seconds, 1), expires_seconds=60
        )
        return (await self.desk.settle(terms, seconds, grant.seconds)).cost

    async def charge(
        self, account: str, amount: str, kind: str, *, at: datetime | None = None
    ) -> Micros:
        """Post a fee, or what another kind of transfer takes (or gives, when negative)."""
        micros = parse_amount(amount)
        self.calls += 1
        await self.desk.writer.submit(
            Post(
                key=f"{kind}:{self.calls}",
                transfer_id=new_id(self.desk.clock),
                kind=kind,
                entries=(
                    PostedEntry(account=ref("caller", account), amount=-micros),
                    PostedEntry(account=ref("provider", "provider"), amount=micros),
                ),
                at_us=microseconds_of(at or self.desk.clock.now()),
                memo=f"{kind} of the test",
            )
        )
        return micros

    def until(self, year: int, month: int, day: int, hour: int = 8) -> None:
        """Let time pass."""
        left = datetime(year, month, day, hour, tzinfo=UTC) - self.desk.clock.now()
        assert left >= timedelta(0)
        self.desk.clock.advance(left.total_seconds())

    async def bill(self, account: str, month: Month = MARCH) -> str:
        """Run a month for one account, which gets an invoice."""
        [number] = (await self.invoicing.run(month, account=account)).created
        return number

    async def unpaid(self, number: str) -> Micros:
        return (await self.invoicing.invoice(number)).header.unpaid


def ref(kind: str, code: str) -> AccountRef:
    return AccountRef(kind=kind, code=code, currency="USD")


def open_office(desk: Desk) -> Office:
    return Office(
        desk=desk,
        invoicing=Invoicing(engine=desk.engine, clock=desk.clock),
        receivables=Receivables(engine=desk.engine, clock=desk.clock),
    )
