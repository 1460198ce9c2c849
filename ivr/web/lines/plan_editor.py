"""What a plan costs and includes: written as text, previewed, saved for who subscribes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from billing.storage.plan_rows import PlanVersion, count_subscribers
from ivr.directory.catalog_plans import plan_document
from ivr.directory.edit_plans import plan_of, read_terms, save_plan
from ivr.directory.edits import Change, node_of_text, version_of, written
from ivr.directory.mistakes import CatalogInvalid
from ivr.web.guard import Page, read_form, render
from ivr.web.language import gettext as _
from ivr.web.lines.desk import NOT_TRIED, Tried, editor_of, placed, sentence, try_edit
from ivr.web.problems import Refusal
from ivr.web.queries.lines import changes_of
from ivr.web.queries.plans import list_plans
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of

PLAN_PATH: Final = "{plan:[a-z0-9][a-z0-9_.-]{0,63}}"
FIELDS: Final = ("name", "currency", "text")
EXAMPLE: Final = """\
price: "29.00"
meters:
  minutes: {included: 60, alerts: [80%, 100%]}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would change, and how many go on as they are; `seal` names exactly this."""

    gone: str
    came: str
    subscribers: int
    seal: str


async def show(request: web.Request, who: Who) -> web.Response:
    """Show a plan, or the form of a new one."""
    return await _page(request, who)


async def _stored(request: web.Request) -> tuple[PlanVersion | None, int]:
    name = request.match_info.get("plan")
    async with web_of(request).reading() as connection:
        plans = await list_plans(connection)
        subscribers = await count_subscribers(connection)
    found = next((each for each in plans if each.plan.name == name), None)
    if name is not None and found is None:
        raise Refusal("not_found", _("There is no such plan."))
    return found, subscribers.get(name or "", 0)


async def _page(
    request: web.Request,
    who: Who,
    *,
    tried: Tried = NOT_TRIED,
    typed: Mapping[str, str] | None = None,
    preview: Preview | None = None,
) -> web.Response:
    stored, subscribers = await _stored(request)
    name = stored.plan.name if stored else ""
    async with web_of(request).reading() as connection:
        changes = await changes_of(connection, who.scope, f"plan {name}") if stored else []
    text = written(plan_document(stored.plan)) if stored else EXAMPLE
    values = {
        "stored": stored,
        "subscribers": subscribers,
        "state": version_of(plan_of(stored)),
        "fields": typed or {},
        "text": (typed or {}).get("text") or text,
        "wrong": {place: text for place, text in tried.errors.items() if place},
        "errors": placed({p: t for p, t in tried.errors.items() if p in {"", *FIELDS}}, FIELDS),
        "conflict": tried.conflict,
        "preview": preview,
        "changes": changes,
        "done": "done" in request.query,
    }
    return render(request, "lines/plan.html", who, values, status=tried.status)


async def save(request: web.Request, who: Who) -> web.StreamResponse:
    """Preview a change, or save it when exactly that was previewed."""
    stored, subscribers = await _stored(request)
    typed = await read_form(request)
    name = stored.plan.name if stored else typed.get("name", "").strip()
    currency = stored.plan.currency if stored else typed.get("currency", "").strip()
    try:
        plan = read_terms(name, node_of_text(typed.get("text", "")), currency)
    except CatalogInvalid as error:
        wrong = {each.field: sentence(each.message) for each in reversed(error.mistakes)}
        return await _page(request, who, tried=Tried(errors=wrong), typed=typed)
    before = written(plan_document(stored.plan)) if stored else ""
    gone, came = Change(before=before, after=written(plan_document(plan))).lines()
    seal = version_of(plan_document(plan))
    preview = Preview(gone=gone, came=came, subscribers=subscribers, seal=seal)
    if typed.get("step") != "save" or typed.get("seal") != seal:
        return await _page(request, who, typed=typed, preview=preview)
    tried = await try_edit(
        save_plan(editor_of(request, who), plan, expected=typed.get("state", ""))
    )
    if tried.change is None:
        return await _page(request, who, tried=tried, typed=typed)
    removed, added = tried.change.lines()
    await web_of(request).note(who, "save plan", f"plan {name}", before=removed, after=added)
    raise web.HTTPSeeOther(f"/admin/plan-prices/{name}?done=1")


PAGES: Final = (
    Page(method="GET", path="/admin/new-plan", roles=OPERATORS, handler=show),
    Page(method="POST", path="/admin/new-plan", roles=OPERATORS, handler=save, right=Right.LINES),
    Page(method="GET", path=f"/admin/plan-prices/{PLAN_PATH}", roles=OPERATORS, handler=show),
    Page(
        method="POST",
        path=f"/admin/plan-prices/{PLAN_PATH}",
        roles=OPERATORS,
        handler=save,
        right=Right.LINES,
    ),
)
