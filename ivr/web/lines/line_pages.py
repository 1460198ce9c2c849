"""One line: its menu as a picture, what callers hear, its hours, and all that it can be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from billing.clock import microseconds_of
from billing.domain.notation import format_duration
from billing.money import format_amount
from ivr.directory.catalog_export import did_document
from ivr.directory.edit_lines import change_line, line_of, order_topics, retire_line
from ivr.directory.edits import version_of, written
from ivr.directory.model import Did
from ivr.directory.own_prompts import list_prompts
from ivr.directory.rules import LANGUAGES
from ivr.web.guard import Page, read_form, render
from ivr.web.language import gettext as _
from ivr.web.lines import hear, tree, week
from ivr.web.lines.desk import (
    NOT_TRIED,
    NUMBER_PATH,
    WHOLE,
    Tried,
    editor_of,
    find_line,
    home_of,
    may,
    placed,
    try_edit,
)
from ivr.web.lines.list_pages import tariff_choices, zones
from ivr.web.problems import Refusal
from ivr.web.queries.lines import calls_since, changes_of
from ivr.web.scope import CLIENTS, OPERATORS, Right, Role, Who
from ivr.web.state import web_of

TICKS: Final = ("confirm_price", "ask_rating", "transfers", "listen")
TEXTS: Final = (
    "kind", "monthly_fee", "timezone", "tariff", "maximum_talk", "calls_max", "carrier",
    "announced", "record",
)  # fmt: skip
ACCESS: Final = ("pin", "spend_limit", "daily_limit")
FACTS: Final = (
    *TEXTS, *TICKS, *(f"access.{name}" for name in ACCESS), "access.trust_caller_id", "access",
    "language", "languages",
)  # fmt: skip
HOURS: Final = (
    "always", "holidays",
    *(f"{row}_{place}_{side}" for row in week.ROWS for place in range(1, week.PAIRS_MAX + 1)
      for side in ("from", "to")),
)  # fmt: skip


async def show(request: web.Request, who: Who) -> web.Response:
    """Show a line."""
    return await page(request, who)


async def page(
    request: web.Request,
    who: Who,
    *,
    tried: Tried = NOT_TRIED,
    form: str = "",
    typed: Mapping[str, str] | None = None,
) -> web.Response:
    """Show a line; `form` names the one that was sent and refused."""
    lines, did = await find_line(request, who)
    running = web_of(request)
    now = running.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    languages = hear.languages_of(did)
    language = request.query.get("language", "")
    language = language if language in languages else languages[0]
    async with running.reading() as connection:
        counted = await calls_since(connection, who.scope, microseconds_of(midnight))
        prompts = await list_prompts(connection, did.client)
        changes = await changes_of(connection, who.scope, did.number)
    fields = {"facts": FACTS, "hours": HOURS}.get(form, ())
    values = {
        "did": did,
        "client": lines.clients[did.client],
        "base": home_of(who),
        "version": version_of(line_of(did)),
        "is_open": did.is_open(now),
        "when": week.until(did.rules.opening, now, did.timezone),
        "calls": counted.get(did.number, 0),
        "tree": tree.picture(did, lines, now, home=home_of(who)),
        "topics": tree.views_of(did, lines, now),
        "week": week.picture(did.rules.opening, now, did.timezone),
        "steps": hear.steps_of(did, lines, language, now, prompts),
        "languages": languages,
        "language": language,
        "known_languages": LANGUAGES,
        "facts": typed if form == "facts" and typed is not None else facts_of(did),
        "hours": typed
        if form == "hours" and typed is not None
        else week.grid_of(did.rules.opening),
        "days": list(zip(week.ROWS, week.day_names(), strict=True)),
        "pairs": week.pairs_of(week.grid_of(did.rules.opening)),
        "tariffs": tariff_choices(lines),
        "zones": zones(),
        "may_topics": may(who, lines, did.client, "topics"),
        "may_hours": may(who, lines, did.client, "hours"),
        "errors": placed(tried.errors, fields),
        "form": form,
        "conflict": tried.conflict,
        "done": request.query.get("done", ""),
        "text": written(did_document(did)),
        "changes": changes,
        "operator": who.role is Role.OPERATOR,
    }
    return render(request, "lines/line.html", who, values, status=tried.status)


def facts_of(did: Did) -> dict[str, str]:
    """Write a line as the fields of its form."""
    rules, access = did.rules, did.access
    fields = {
        "kind": did.kind,
        "monthly_fee": format_amount(did.monthly_fee),
        "timezone": did.timezone,
        "tariff": did.tariff,
        "maximum_talk": format_duration(rules.maximum_talk_seconds)
        if rules.maximum_talk_seconds
        else "",
        "calls_max": str(rules.calls_max or ""),
        "carrier": rules.carrier or "",
        "announced": rules.announced or "",
        "record": f"{rules.record_days}d" if rules.record_days else "",
        "access.pin": access.pin,
        "access.spend_limit": _amount(rules.spend_limit),
        "access.daily_limit": _amount(rules.daily_limit),
        "language": rules.languages[0] if rules.languages else "",
    }
    ticked = {name: "1" for name in TICKS if getattr(rules, name)}
    others = {f"language_{code}": "1" for code in rules.languages[1:]}
    trusts = {"access.trust_caller_id": "1"} if access.trust_caller_id else {}
    return fields | ticked | others | trusts


def _amount(amount: int | None) -> str:
    return "" if amount is None else format_amount(amount)


def _facts_document(stored: dict[str, Any], typed: Mapping[str, str]) -> dict[str, Any]:
    """Put what was typed in place of what is stored; hours and topics stay."""
    kept: dict[str, Any] = {
        name: stored[name] for name in ("hours", "holidays", "topics") if name in stored
    }
    first = typed.get("language", "")
    others = [code for code in LANGUAGES if f"language_{code}" in typed and code != first]
    return {
        **{name: typed[name].strip() for name in TEXTS if typed.get(name, "").strip()},
        **{name: True for name in TICKS if name in typed},
        **({"languages": [first, *others]} if first else {}),
        "access": {
            "trust_caller_id": "access.trust_caller_id" in typed,
            **{
                name: typed[f"access.{name}"].strip()
                for name in ACCESS
                if typed.get(f"access.{name}", "").strip()
            },
        },
        **kept,
    }


async def save_facts(request: web.Request, who: Who) -> web.StreamResponse:
    """Change what a line is; topics and hours have forms of their own."""
    _lines, did = await find_line(request, who)
    typed = await read_form(request)
    document = _facts_document(did_document(did), typed)
    return await _save(request, who, did, document, form="facts", typed=typed)


async def save_hours(request: web.Request, who: Who) -> web.StreamResponse:
    """Change when a line is open."""
    lines, did = await find_line(request, who)
    if not may(who, lines, did.client, "hours"):
        raise Refusal("forbidden", _("Your provider has not opened the hours for you to change."))
    typed = await read_form(request)
    part, errors = week.read_grid(typed)
    if errors:
        return await page(request, who, tried=Tried(errors=errors), form="hours", typed=typed)
    stored = did_document(did)
    kept = {name: stored[name] for name in stored if name not in {"hours", "holidays"}}
    return await _save(request, who, did, {**kept, **part}, form="hours", typed=typed)


async def _save(
    request: web.Request,
    who: Who,
    did: Did,
    document: dict[str, Any],
    *,
    form: str,
    typed: Mapping[str, str],
) -> web.StreamResponse:
    tried = await try_edit(
        change_line(
            editor_of(request, who), did.number, document, expected=typed.get("version", "")
        )
    )
    if tried.change is None:
        return await page(request, who, tried=tried, form=form, typed=typed)
    before, after = tried.change.lines()
    await web_of(request).note(
        who, f"change {form} of line", did.number, before=before, after=after
    )
    raise web.HTTPSeeOther(f"{home_of(who)}/{did.number}?done={form}#{form}")


async def save_order(request: web.Request, who: Who) -> web.StreamResponse:
    """Give the topics their digits anew: a list that was dragged, or one step up or down."""
    lines, did = await find_line(request, who)
    typed = await read_form(request)
    if not may(who, lines, did.client, "topics"):
        raise Refusal("forbidden", _("Your provider has not opened topics for you to change."))
    order = _order([topic.digit for topic in tree.heard_order(did)], typed)
    tried = await try_edit(
        order_topics(editor_of(request, who), did.number, order, expected=typed.get("version", ""))
    )
    if tried.change is None:
        return await page(request, who, tried=tried, form="topics")
    before, after = tried.change.lines()
    await web_of(request).note(who, "reorder topics", did.number, before=before, after=after)
    raise web.HTTPSeeOther(f"{home_of(who)}/{did.number}?done=order#topics")


def _order(digits: list[int], typed: Mapping[str, str]) -> list[int]:
    if typed.get("order"):
        parts = typed["order"].split(",")[: len(digits) + 1]
        return [int(part) for part in parts if part.isascii() and part.isdecimal()]
    for name, step in (("up", -1), ("down", 1)):
        moved = typed.get(name, "")
        if moved.isascii() and moved.isdecimal() and int(moved) in digits:
            at = digits.index(int(moved))
            other = min(max(at + step, 0), len(digits) - 1)
            digits[at], digits[other] = digits[other], digits[at]
    return digits


async def retire(request: web.Request, who: Who) -> web.StreamResponse:
    """Close a line for good, once that is confirmed."""
    _lines, did = await find_line(request, who)
    typed = await read_form(request)
    if typed.get("confirm", "").strip() != did.number:
        errors = {WHOLE: _("Type the number of the line to confirm that it shall be retired.")}
        return await page(request, who, tried=Tried(errors=errors), form="retire")
    tried = await try_edit(
        retire_line(editor_of(request, who), did.number, expected=typed.get("version", ""))
    )
    if tried.change is None:
        return await page(request, who, tried=tried, form="retire")
    await web_of(request).note(who, "retire line", did.number, before=tried.change.before)
    raise web.HTTPSeeOther(f"{home_of(who)}?retired={did.number}")


async def listen(request: web.Request, who: Who) -> web.Response:
    """Speak one step of what a caller hears."""
    lines, did = await find_line(request, who)
    place = request.match_info
    running = web_of(request)
    if place["language"] not in hear.languages_of(did):
        raise Refusal("not_found", _("The line does not speak this language."))
    async with running.reading() as connection:
        prompts = await list_prompts(connection, did.client)
        steps = hear.steps_of(did, lines, place["language"], running.now(), prompts)
        step = next((step for step in steps if step.code == place["step"]), None)
        body = await hear.sound(connection, did, place["language"], step) if step else None
    if body is None:
        raise Refusal("not_found", _("There is no such sound."))
    return web.Response(body=body, content_type="audio/wav")


def _pages(home: str, roles: frozenset[Role], right: Right | None) -> tuple[Page, ...]:
    line = f"{home}/{NUMBER_PATH}"
    return (
        Page(method="GET", path=line, roles=roles, handler=show),
        Page(method="POST", path=f"{line}/hours", roles=roles, handler=save_hours, right=right),
        Page(method="POST", path=f"{line}/order", roles=roles, handler=save_order, right=right),
        Page(
            method="GET",
            path=f"{line}/hear/{{language:[a-z]{{2}}}}/{{step:[a-z0-9-]{{1,20}}}}",
            roles=roles,
            handler=listen,
        ),
    )


PAGES: Final = (
    *_pages("/admin/dids", OPERATORS, Right.LINES),
    *_pages("/portal/lines", CLIENTS, Right.LINES),
    Page(
        method="POST",
        path=f"/admin/dids/{NUMBER_PATH}/facts",
        roles=OPERATORS,
        handler=save_facts,
        right=Right.LINES,
    ),
    Page(
        method="POST",
        path=f"/admin/dids/{NUMBER_PATH}/retire",
        roles=OPERATORS,
        handler=retire,
        right=Right.LINES,
    ),
)
