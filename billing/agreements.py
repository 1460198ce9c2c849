"""Agreements with clients as rows: each change is a new version, the old ones stay.

bonus    provider -> referrer, once per client and referrer
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import Clock, microseconds_of
from billing.domain.agreements import REFERRER, Referrer
from billing.domain.operations import AccountRef, Post, PostedEntry
from billing.domain.splits import PROVIDER, Share
from billing.ids import new_id
from billing.money import Micros
from billing.storage.ledger import Outcome, post_batch, shares_from_json, shares_json
from billing.storage.party_tables import agreement_versions

BONUS: Final = "bonus"
POSTS_PER_BATCH: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What was agreed with a client from `in_force_us` on, until the next version."""

    client: str
    version: int
    in_force_us: int
    shares: tuple[Share, ...]
    referrers: tuple[Referrer, ...]
    body: str
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bonus:
    """What a referrer gets once for bringing a client."""

    client: str
    referrer: str
    currency: str
    amount: Micros

    @property
    def key(self) -> str:
        """The key of its transfer: a referrer brings a client once."""
        return f"{BONUS}:{self.client}:{self.referrer}"


def agreement_json(shares: Sequence[Share], referrers: Sequence[Referrer]) -> str:
    """Write an agreement as the table keeps it."""
    listed = json.dumps([asdict(referrer) for referrer in referrers])
    return f'{{"shares": {shares_json(shares)}, "referrers": {listed}}}'


async def newest_agreements(connection: AsyncConnection) -> dict[str, Agreement]:
    """Read what is in force with each client."""
    newest = (
        select(
            agreement_versions.c.client,
            func.max(agreement_versions.c.version).label("version"),
        )
        .group_by(agreement_versions.c.client)
        .subquery()
    )
    return {
        found.client: found
        for found in await _read(
            connection,
            select(agreement_versions).join(
                newest,
                (agreement_versions.c.client == newest.c.client)
                & (agreement_versions.c.version == newest.c.version),
            ),
        )
    }


async def agreement_history(connection: AsyncConnection, client: str) -> list[Agreement]:
    """Read every version of a client's agreement, oldest first."""
    return await _read(
        connection,
        select(agreement_versions)
        .where(agreement_versions.c.client == client)
        .order_by(agreement_versions.c.version),
    )


async def write_agreements(
    connection: AsyncConnection,
    wanted: Iterable[tuple[str, str]],
    before: dict[str, Agreement],
    now_us: int,
    *,
    actor: str | None = None,
) -> None:
    """Write a new version of each agreement (client, body) that differs from the newest one."""
    rows = [
        {
            "client": client,
            "version": before[client].version + 1 if client in before else 1,
            "body": body,
            "in_force_us": now_us,
            "actor": actor,
        }
        for client, body in wanted
        if client not in before or before[client].body != body
    ]
    if rows:
        await connection.execute(insert(agreement_versions), rows)


async def post_bonuses(
    connection: AsyncConnection, bonuses: Sequence[Bonus], clock: Clock, *, actor: str
) -> list[Outcome]:
    """Post what is not posted yet; a bonus that was posted with another amount is refused."""
    outcomes: list[Outcome] = []
    for start in range(0, len(bonuses), POSTS_PER_BATCH):
        some = bonuses[start : start + POSTS_PER_BATCH]
        outcomes += await post_batch(connection, [_post(bonus, clock, actor) for bonus in some])
    return outcomes


def _post(bonus: Bonus, clock: Clock, actor: str) -> Post:
    def account(kind: str, code: str) -> AccountRef:
        return AccountRef(kind=kind, code=code, currency=bonus.currency)

    return Post(
        key=bonus.key,
        transfer_id=new_id(clock),
        kind=BONUS,
        entries=(
            PostedEntry(account=account(PROVIDER, "provider"), amount=-bonus.amount),
            PostedEntry(account=account(REFERRER, bonus.referrer), amount=bonus.amount),
        ),
        at_us=microseconds_of(clock.now()),
        memo=f"brought {bonus.client}",
        actor=actor,
    )


async def _read(connection: AsyncConnection, query: Any) -> list[Agreement]:  # Any: a select
    found = []
    for row in await connection.execute(query):
        body = json.loads(row.body)
        found.append(
            Agreement(
                client=row.client,
                version=row.version,
                in_force_us=row.in_force_us,
                shares=shares_from_json(json.dumps(body["shares"])),
                referrers=tuple(Referrer(**each) for each in body["referrers"]),
                body=row.body,
                actor=row.actor,
            )
        )
    return found
