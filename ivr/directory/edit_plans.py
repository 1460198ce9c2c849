"""Plans' prices, changed one at a time: a new version for who subscribes next.

Subscriptions go on with the version that they were made with.
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.plans import Plan
from billing.storage.plan_rows import PlanVersion, newest_plans
from ivr.directory.catalog_plans import plan_document, read_plan
from ivr.directory.edits import (
    Change,
    Document,
    Editor,
    EditRefused,
    fragment,
    put,
    read_named,
    refuse_problems,
    refuse_stale,
    written,
)
from ivr.directory.model import Directory
from ivr.directory.yaml_reader import Node


def plan_of(version: PlanVersion | None) -> Document | None:
    """Write a plan with its currency; None for what is not there."""
    if version is None:
        return None
    return {"currency": version.plan.currency, **plan_document(version.plan)}


def read_terms(name: str, node: Node, currency: str) -> Plan:
    """Check a plan that somebody wrote.

    Raises:
        CatalogInvalid: with all mistakes, named by their places.

    """
    plan = read_named(name, node, currency, read_plan)
    if plan is None or plan.currency != currency:
        refuse_problems([("currency", "the currency of a plan stays")])
    assert plan is not None
    return plan


async def save_plan(editor: Editor, plan: Plan, *, expected: str) -> Change:
    """Save a plan as a new version.

    Raises:
        ChangedMeanwhile: it is not what was read before.
        EditRefused: a client asks, or it is sold in another currency.

    """
    if editor.client is not None:
        raise EditRefused(reason="only your provider changes plans")
    seen: list[Document | None] = []

    async def settled(connection: AsyncConnection, _newest: Directory) -> None:
        stored = (await newest_plans(connection)).get(plan.name)
        refuse_stale(f"the plan {plan.name}", expected, plan_of(stored))
        if stored is not None and stored.plan.currency != plan.currency:
            raise EditRefused(reason=f"this plan costs {stored.plan.currency} already")
        seen.append(plan_of(stored))

    await put(editor, fragment(plans=(plan,)), settled)
    return Change(
        before=written(seen[0]) if seen[0] else "",
        after=written({"currency": plan.currency, **plan_document(plan)}),
    )
