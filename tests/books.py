"""Words for ledger tests: an installation with one caller, one client, one provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.audit import verify
from billing.charging import Charging, SessionTerms
from billing.clock import ManualClock, microseconds_of
from billing.domain.cover import issuer_of
from billing.domain.operations import AccountRef, Post, PostedEntry
from billing.domain.rating import RateTable
from billing.domain.splits import Share
from billing.domain.tariffs import Tariff, Tier
from billing.journal import Journal
from billing.money import MICROS_PER_UNIT, Micros, parse_amount
from billing.storage.tables import accounts, tariff_versions, transfers
from billing.storage.writer import GroupWriter
from billing.wallet import Wallet

START = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SHARES = (
    Share(kind="provider", account="provider", basis_points=3_000),
    Share(kind="client", account="acme", basis_points=7_000),
)
STANDARD = Tariff(
    name="standard",
    currency="USD",
    setup_fee=parse_amount("5"),
    tiers=(
        Tier(from_seconds=0, price=parse_amount("0.50")),
        Tier(from_seconds=1200, price=parse_amount("0.25")),
    ),
)


def flat(price_per_minute: str, *, setup_fee: str = "0", increment_seconds: int = 1) -> Tariff:
    return Tariff(
        name=f"flat-{price_per_minute}-{setup_fee}-{increment_seconds}",
        currency="USD",
        setup_fee=parse_amount(setup_fee),
        tiers=(
            Tier(
                from_seconds=0,
                price=parse_amount(price_per_minute),
                increment_seconds=increment_seconds,
            ),
        ),
    )


@dataclass
class Desk:
    """Everything a ledger test talks to."""

    engine: AsyncEngine
    writer: GroupWriter
    charging: Charging
    wallet: Wallet
    clock: ManualClock
    journal: Journal

    async def caller(self, code: str, balance: str = "0", *, credit_limit: str = "0") -> None:
        await self.wallet.open_account(
            code,
            mode="postpaid" if credit_limit != "0" else "prepaid",
            currency="USD",
            credit_limit=parse_amount(credit_limit),
        )
        if balance != "0":
            await self.wallet.top_up(code, parse_amount(balance), key=f"first-{code}", actor="test")

    async def allow(self, allowance: AccountRef, seconds: int) -> None:
        """Give an allowance of a plan so many seconds of talk."""
        row = {
            "kind": allowance.kind, "code": allowance.code, "currency": allowance.currency,
            "credit_limit": 0, "created_us": 0,
        }  # fmt: skip
        async with self.engine.begin() as connection:
            await connection.execute(insert(accounts), row)
        units = seconds * MICROS_PER_UNIT
        entries = (
            PostedEntry(account=allowance, amount=units),
            PostedEntry(account=issuer_of(allowance), amount=-units),
        )
        key = f"grant:{allowance.code}"
        await self.writer.submit(
            Post(key=key, transfer_id=key, kind="grant", entries=entries, at_us=0)
        )

    async def terms(
        self,
        session_id: str,
        account: str,
        tariff: Tariff = STANDARD,
        *,
        shares: tuple[Share, ...] = SHARES,
    ) -> SessionTerms:
        return SessionTerms(
            session_id=session_id,
            account=account,
            client="acme",
            service="18005550100",
            detail="Billing",
            tariff_version_id=await self.version(tariff),
            table=RateTable.compile(tariff),
            timezone="UTC",
            shares=shares,
            currency="USD",
            priced_us=microseconds_of(self.clock.now()),
        )

    async def version(self, tariff: Tariff) -> int:
        async with self.engine.connect() as connection:
            known = await connection.scalar(
                select(tariff_versions.c.id).where(tariff_versions.c.name == tariff.name)
            )
        if known is not None:
            return int(known)
        async with self.engine.begin() as connection:
            row = await connection.execute(
                insert(tariff_versions).returning(tariff_versions.c.id),
                {
                    "name": tariff.name, "version": 1, "currency": "USD",
                    "body": tariff.to_json(), "body_hash": "", "in_force_us": 0, "created_us": 0,
                },
            )  # fmt: skip
            return int(row.scalar_one())

    async def settle(self, terms: SessionTerms, seconds: float, granted_seconds: int):
        return await self.charging.settle(
            terms,
            talk_us=int(seconds * 1_000_000),
            granted_seconds=granted_seconds,
            started_us=terms.priced_us,
            ended_us=terms.priced_us + int(seconds * 1_000_000),
            evidence="ami",
        )

    async def transfer_of(self, session_id: str) -> str:
        """Return the id of the transfer that settled a session."""
        query = select(transfers.c.id).where(
            transfers.c.reference == session_id, transfers.c.kind == "settle"
        )
        async with self.engine.connect() as connection:
            return str(await connection.scalar(query))

    async def spendable(self, account: str) -> Micros:
        return (await self.charging.balance(account)).spendable

    async def proved(self) -> bool:
        """Whether every invariant holds; a broken one is shown by the assertion."""
        broken = [check for check in await verify(self.engine) if not check.ok]
        assert not broken
        return True


@asynccontextmanager
async def open_desk(engine: AsyncEngine, folder: Path) -> AsyncIterator[Desk]:
    clock = ManualClock(START)
    async with GroupWriter(engine) as writer:
        journal = Journal(folder / "journal")
        yield Desk(
            engine=engine,
            writer=writer,
            charging=Charging(writer=writer, engine=engine, clock=clock, journal=journal),
            wallet=Wallet(writer=writer, engine=engine, clock=clock),
            clock=clock,
            journal=journal,
        )
