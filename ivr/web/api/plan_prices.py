"""Operations on what plans cost and include: read, preview, save for who subscribes next."""

from __future__ import annotations

from typing import Final

from billing.domain.plans import Plan
from billing.storage.plan_rows import PlanVersion, count_subscribers
from ivr.directory.catalog_plans import plan_document
from ivr.directory.edit_plans import plan_of, read_terms, save_plan
from ivr.directory.edits import Change, Document, node_of, version_of, written
from ivr.web.api import places, tariff_models
from ivr.web.api.gate import Answer, Ask, Operation
from ivr.web.api.lines import REFUSALS, change, edited, editor
from ivr.web.problems import Refusal
from ivr.web.queries.plans import list_plans
from ivr.web.scope import OPERATORS, Right


async def show(ask: Ask) -> Answer:
    """Show a plan as it is sold now."""
    stored, subscribers = await _stored(ask)
    if stored is None:
        raise Refusal("not_found", "There is no such plan.")
    return Answer(
        model=tariff_models.PlanTerms(
            name=stored.plan.name,
            number=stored.version,
            currency=stored.plan.currency,
            version=version_of(plan_of(stored)),
            notation=plan_document(stored.plan),
            subscribers=subscribers,
        )
    )


async def put(ask: Ask) -> Answer:
    """Save a new version of a plan, or a new plan."""
    assert isinstance(ask.body, tariff_models.PlanEdit)
    body, name = ask.body, ask.named("plan")
    stored, _ = await _stored(ask)
    if stored is None and body.version:
        raise Refusal("not_found", "There is no such plan.")

    async def save() -> Change:
        plan = _read(name, stored, body.notation, body.currency)
        return await save_plan(editor(ask), plan, expected=body.version)

    await change(ask, save(), action="save plan", subject=f"plan {name}")
    answer = await show(ask)
    return Answer(model=answer.model, status=200 if stored else 201)


async def preview(ask: Ask) -> Answer:
    """Check a plan without saving it."""
    assert isinstance(ask.body, tariff_models.PlanDraft)
    body, name = ask.body, ask.named("plan")
    stored, subscribers = await _stored(ask)
    read: list[Plan] = []

    async def checked() -> Change:
        read.append(_read(name, stored, body.notation, body.currency))
        before = written(plan_document(stored.plan)) if stored else ""
        return Change(before=before, after=written(plan_document(read[0])))

    removed, added = (await edited(checked())).lines()
    return Answer(
        model=tariff_models.PlanPreview(
            plan=name,
            currency=read[0].currency,
            removed=removed,
            added=added,
            subscribers=subscribers,
        )
    )


def _read(name: str, stored: PlanVersion | None, notation: Document, currency: str | None) -> Plan:
    kept_in = stored.plan.currency if stored else currency or ""
    return read_terms(name, node_of(notation), kept_in)


async def _stored(ask: Ask) -> tuple[PlanVersion | None, int]:
    name = ask.named("plan")
    async with ask.web.reading() as connection:
        plans = await list_plans(connection)
        subscribers = await count_subscribers(connection)
    found = next((each for each in plans if each.plan.name == name), None)
    return found, subscribers.get(name, 0)


OPERATIONS: Final = (
    Operation(
        method="GET", path=f"/plans/{places.PLAN}", name="showPlan",
        summary="Show a plan in the notation, and how many have it", roles=OPERATORS,
        handler=show, answer=tariff_models.PlanTerms, problems=("not_found",),
    ),
    Operation(
        method="PUT", path=f"/plans/{places.PLAN}", name="putPlan",
        summary="Save a new version of a plan for who subscribes next, or a new plan",
        roles=OPERATORS, handler=put, body=tariff_models.PlanEdit, answer=tariff_models.PlanTerms,
        statuses=(200, 201), right=Right.LINES, problems=REFUSALS, versioned=show,
    ),
    Operation(
        method="POST", path=f"/plans/{places.PLAN}/preview", name="previewPlan",
        summary="Check a plan without saving it", roles=OPERATORS, handler=preview,
        body=tariff_models.PlanDraft, answer=tariff_models.PlanPreview, right=Right.LINES,
        problems=REFUSALS,
    ),
)  # fmt: skip
