"""`talkmeter report revenue|callers|arpu|mrr|unanswered`: what the business asks."""

from __future__ import annotations

import json as documents
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from billing.money import format_amount
from ivr.cli import context
from ivr.cli.sheet import First, Format, Last, chosen, days, show

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from billing.business import RevenueRow
    from ivr.settings import Settings

T = TypeVar("T")
ClientOption = Annotated[str | None, typer.Option(help="Only this client.")]
# What each kind of party got; a client is also a key of rows.
KINDS = ("provider", "client", "reseller", "referrer")
NAMES = {
    "client": ("client",),
    "did": ("client", "did"),
    "topic": ("client", "did", "topic"),
    "tariff": ("tariff",),
    "day": ("day",),
}
REVENUE = (
    "currency",
    "calls",
    "talk_seconds",
    "billed_seconds",
    "gross",
    "corrected",
    *(f"{kind}_share" for kind in KINDS),
    "tax",
    "margin_percent",
)


def revenue(
    by: Annotated[str, typer.Option(help="client, did, topic, tariff or day")] = "client",
    client: ClientOption = None,
    first: First = None,
    last: Last = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Rows of a page.")] = 100,
    after: Annotated[str, typer.Option(help="The page after this `next`, as printed.")] = "",
    output: Format = "table",
    json: context.JsonFlag = False,
) -> None:
    """Show revenue, who got what of it, and the provider's margin."""
    from billing.business import revenue as query

    output, span = chosen(output, json=json), days(first, last)
    if by not in NAMES:
        raise typer.BadParameter(f"write one of {', '.join(NAMES)}", param_hint="--by")
    rows = _read(
        lambda connection: query(
            connection, span, by=by, client=client, after=_after(after), limit=limit
        )
    )
    keys = NAMES[by]
    show([_revenue(keys, row) for row in rows], [*keys, *REVENUE], output, span)
    if len(rows) == limit and output == "table":
        context.say(f"next: --after '{documents.dumps([*rows[-1].key, rows[-1].currency])}'")


def callers(
    client: ClientOption = None,
    first: First = None,
    last: Last = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 20,
    output: Format = "table",
    json: context.JsonFlag = False,
) -> None:
    """Show who paid most, most first."""
    from billing.business import top_callers

    output, span = chosen(output, json=json), days(first, last)
    rows = [
        {
            "account": row.account,
            "currency": row.currency,
            "calls": row.sessions,
            "billed_seconds": row.billed_seconds,
            "gross": format_amount(row.gross),
        }
        for row in _read(
            lambda connection: top_callers(connection, span, client=client, limit=limit)
        )
    ]
    show(rows, ("account", "currency", "calls", "billed_seconds", "gross"), output, span)


def arpu(
    client: ClientOption = None,
    first: First = None,
    last: Last = None,
    output: Format = "table",
    json: context.JsonFlag = False,
) -> None:
    """Show how many callers talked, and the average revenue of one (ARPU)."""
    from billing.business import count_callers

    output, span = chosen(output, json=json), days(first, last)
    rows = [
        {
            "currency": row.currency,
            "callers": row.callers,
            "calls": row.sessions,
            "gross": format_amount(row.gross),
            "arpu": format_amount(row.per_caller),
        }
        for row in _read(lambda connection: count_callers(connection, span, client=client))
    ]
    show(rows, ("currency", "callers", "calls", "gross", "arpu"), output, span)


def mrr(
    first: First = None,
    last: Last = None,
    output: Format = "table",
    json: context.JsonFlag = False,
) -> None:
    """Show recurring revenue (MRR) of plans, how it moved, retention (NRR, GRR) and churn."""
    from billing.mrr import KINDS as MOVES
    from billing.mrr import recurring_revenue

    output, span = chosen(output, json=json), days(first, last)
    rows = [
        {
            "currency": row.currency,
            "opening": format_amount(row.opening),
            **{kind: format_amount(row.moves[kind]) for kind in MOVES},
            "closing": format_amount(row.closing),
            "nrr_percent": _percent(row.net_retention_basis_points),
            "grr_percent": _percent(row.gross_retention_basis_points),
            "subscriptions": row.subscriptions,
            "lost": row.lost,
            "churn_percent": _percent(row.churn_basis_points),
        }
        for row in _read(lambda connection: recurring_revenue(connection, span))
    ]
    columns = (
        "currency", "opening", *MOVES, "closing", "nrr_percent", "grr_percent",
        "subscriptions", "lost", "churn_percent",
    )  # fmt: skip
    show(rows, columns, output, span)


def _percent(basis_points: int | None) -> str | None:
    """Write a part of 10,000; None where there was nothing to take a part of."""
    return None if basis_points is None else f"{basis_points / 100:.2f}"


def unanswered(
    by: Annotated[str, typer.Option(help="did, topic, hour or reason")] = "did",
    client: ClientOption = None,
    first: First = None,
    last: Last = None,
    output: Format = "table",
    json: context.JsonFlag = False,
) -> None:
    """Show calls that ended without a talk."""
    from ivr.calls.unanswered import GROUPS
    from ivr.calls.unanswered import unanswered as query

    output, span = chosen(output, json=json), days(first, last)
    if by not in GROUPS:
        raise typer.BadParameter(f"write one of {', '.join(GROUPS)}", param_hint="--by")
    rows = [
        {by: row.key, "calls": row.calls, "seconds": row.seconds}
        for row in _read(lambda connection: query(connection, span, by=by, client=client))
    ]
    show(rows, (by, "calls", "seconds"), output, span)


def _revenue(keys: tuple[str, ...], row: RevenueRow) -> dict[str, object]:
    from billing.clock import moment_of

    names = row.key
    if keys == ("day",):
        names = (moment_of(int(row.key[0])).date().isoformat(),)
    whole, part = divmod(row.margin_basis_points, 100)
    return {
        **dict(zip(keys, names, strict=True)),
        "currency": row.currency,
        "calls": row.sessions,
        "talk_seconds": row.talk_us // 1_000_000,
        "billed_seconds": row.billed_seconds,
        "gross": format_amount(row.gross),
        "corrected": format_amount(row.corrected),
        **{f"{kind}_share": format_amount(row.shares.get(kind, 0)) for kind in KINDS},
        "tax": format_amount(row.shares.get("tax", 0)),
        "margin_percent": f"{whole}.{part:02d}",
    }


def _after(text: str) -> list[str]:
    if not text:
        return []
    try:
        found = documents.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(value, str) for value in found):
        raise typer.BadParameter("write the `next` of the page before", param_hint="--after")
    return found


def _read(query: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async def opened(settings: Settings) -> T:
        from ivr.cli.database import database

        async with database(settings) as engine, engine.connect() as connection:
            return await query(connection)

    return context.run(opened(context.settings()))
