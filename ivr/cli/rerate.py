"""`talkmeter rerate`: rate a period again, look at the difference, then post it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated

import typer

from billing.money import format_amount
from ivr.cli import context
from ivr.cli.sheet import First, Last, days

if TYPE_CHECKING:
    from billing.rerating import Rerating, Selection
    from ivr.settings import Settings

SHOWN = 20


def rerate(
    first: First = None,
    last: Last = None,
    client: Annotated[str | None, typer.Option(help="Only this client.")] = None,
    tariff: Annotated[str | None, typer.Option(help="Only sessions of this tariff.")] = None,
    version: Annotated[
        int | None, typer.Option(help="Rate by this version of --tariff, not by their own.")
    ] = None,
    post: Annotated[
        bool, typer.Option("--post", help="Post the differences; needs --key.")
    ] = False,
    key: Annotated[str, typer.Option(help="The same key posts each difference once.")] = "",
    json: context.JsonFlag = False,
) -> None:
    """Rate settled sessions again and show what would change; nothing moves without --post."""
    from billing.rerating import Selection

    if post and not key:
        raise typer.BadParameter("--post needs a key", param_hint="--key")
    if version is not None and tariff is None:
        raise typer.BadParameter("a version needs --tariff", param_hint="--version")
    wanted = Selection(span=days(first, last), client=client, tariff=tariff)
    found = context.run(_run(context.settings(), wanted, version, key if post else ""))
    if json:
        context.emit(_document(found, posted=post))
    else:
        _print(found, posted=post)
    if found.refused:
        raise typer.Exit(1)


async def _run(settings: Settings, wanted: Selection, version: int | None, key: str) -> Rerating:
    from billing.rerating import Rerater
    from ivr.cli.database import books

    async with books(settings) as opened:
        rerater = Rerater(engine=opened.engine, writer=opened.writer, clock=opened.clock)
        if key:
            return await rerater.post(wanted, version=version, key=key, actor="cli")
        return await rerater.preview(wanted, version=version)


def _groups(found: Rerating) -> list[dict[str, object]]:
    sums: defaultdict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for difference in found.differences:
        group = sums[difference.client, difference.tariff, difference.currency]
        group[0] += 1
        group[1] += difference.paid
        group[2] += difference.cost
    return [
        {
            "client": client,
            "tariff": tariff,
            "currency": currency,
            "calls": count,
            "paid": format_amount(paid),
            "cost": format_amount(cost),
            "difference": format_amount(cost - paid),
        }
        for (client, tariff, currency), (count, paid, cost) in sorted(sums.items())
    ]


def _document(found: Rerating, *, posted: bool) -> dict[str, object]:
    return {
        "calls": found.sessions,
        "differing": len(found.differences),
        "groups": _groups(found),
        "posted": found.posted if posted else None,
        "refunded": found.refunded,
        "refused": [
            {"call_id": difference.session_id, "account": difference.account, "code": error.code}
            for difference, error in found.refused
        ],
    }


def _print(found: Rerating, *, posted: bool) -> None:
    context.say(f"{found.sessions} calls rated again, {len(found.differences)} cost something else")
    for group in _groups(found):
        context.say(
            f"  {group['client']:<14} {group['tariff']:<14} {group['calls']:>7} calls: "
            f"{group['paid']:>14} -> {group['cost']:>14} {group['currency']} "
            f"({group['difference']})"
        )
    for difference in found.differences[:SHOWN]:
        context.say(
            f"    {difference.session_id} {difference.account:<14} "
            f"{format_amount(difference.paid)} -> {format_amount(difference.cost)}"
        )
    if len(found.differences) > SHOWN:
        context.say(f"    and {len(found.differences) - SHOWN} more")
    if found.refunded:
        context.say(f"left alone, refunded before: {', '.join(found.refunded[:SHOWN])}")
    for difference, error in found.refused[:SHOWN]:
        context.say(f"refused: {difference.session_id}: {error}")
    if posted:
        context.say(f"posted {found.posted}, refused {len(found.refused)}")
    elif found.differences:
        context.say("nothing was posted: add --post --key KEY")
