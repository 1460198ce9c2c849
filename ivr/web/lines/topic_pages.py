"""One topic of a line: its digit, name, destination, price and hours; new, changed, removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from ivr.directory.catalog_export import did_document
from ivr.directory.destinations import DESTINATION_KINDS
from ivr.directory.edit_lines import change_line, line_of
from ivr.directory.edits import version_of
from ivr.directory.model import Did, Directory, Topic
from ivr.web.guard import Page, read_form, render
from ivr.web.language import gettext as _
from ivr.web.lines import week
from ivr.web.lines.desk import (
    DIGIT_PATH,
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
from ivr.web.lines.line_pages import HOURS
from ivr.web.lines.list_pages import tariff_choices
from ivr.web.problems import Refusal
from ivr.web.scope import CLIENTS, OPERATORS, Right, Role, Who
from ivr.web.state import web_of

DIGITS: Final = (*range(1, 10), 0)
TICKS: Final = ("hidden", "accept")
FIELDS: Final = ("digit", "name", "destination", "tariff", "otherwise", *HOURS)


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the form of a topic."""
    return await _page(request, who)


async def show_new(request: web.Request, who: Who) -> web.Response:
    """Show the form of a new topic."""
    return await _page(request, who)


async def _page(
    request: web.Request,
    who: Who,
    *,
    tried: Tried = NOT_TRIED,
    typed: Mapping[str, str] | None = None,
) -> web.Response:
    lines, did = await find_line(request, who)
    topic = _topic(request, did)
    now = web_of(request).now()
    opening = topic.rules.opening if topic else None
    digit = (typed or {}).get("digit") or (str(topic.digit) if topic else "")
    fields = typed if typed is not None else _fields(topic)
    values = {
        "did": did,
        "topic": topic,
        "base": home_of(who),
        "version": version_of(line_of(did)),
        "typed": fields,
        "errors": placed(tried.errors, FIELDS, below=f"topics.{digit}"),
        "conflict": tried.conflict,
        "digits": _free(did, topic),
        "kinds": _kinds(who, lines, did, topic),
        "queues": [(name, f"{name} ({', '.join(agent.code for agent in queue.agents)})")
                   for name, queue in sorted(lines.queues.items()) if queue.client == did.client],
        "tariffs": tariff_choices(lines),
        "may": may(who, lines, did.client, "topics"),
        "may_hours": may(who, lines, did.client, "hours"),
        "may_prices": may(who, lines, did.client, "tariffs"),
        "hours": fields,
        "week": week.picture(opening, now, did.timezone) if opening else None,
        "days": list(zip(week.ROWS, week.day_names(), strict=True)),
        "pairs": week.pairs_of(week.grid_of(opening)) if opening else week.PAIRS_MIN,
    }  # fmt: skip
    return render(request, "lines/topic.html", who, values, status=tried.status)


def _topic(request: web.Request, did: Did) -> Topic | None:
    """Find the topic of the address; None for a new one."""
    if "digit" not in request.match_info:
        return None
    found = did.topic(int(request.match_info["digit"]))
    if found is None:
        raise Refusal("not_found", _("There is no such topic."))
    return found


def _free(did: Did, topic: Topic | None) -> list[tuple[str, str]]:
    taken = {each.digit: each.name for each in did.topics if each is not topic}
    return [(str(digit), str(digit)) for digit in DIGITS if digit not in taken]


def _kinds(who: Who, lines: Directory, did: Did, topic: Topic | None) -> list[str]:
    """List the kinds of destinations that the visitor may choose; what is there stays."""
    if who.role is Role.OPERATOR:
        return list(DESTINATION_KINDS)
    allowed = lines.clients[did.client].rules.limits.kinds
    here = topic.destination.kind if topic else ""
    return [kind for kind in DESTINATION_KINDS if kind in allowed or kind == here]


def _fields(topic: Topic | None) -> dict[str, str]:
    if topic is None:
        return {"always": "1", "enabled": "1", "goal": "queue"}
    goal, rules = topic.destination, topic.rules
    return {
        "digit": str(topic.digit),
        "name": topic.name,
        "goal": goal.kind,
        f"to_{goal.kind}": goal.target,
        "tariff": topic.tariff or "",
        "otherwise": rules.otherwise,
        **{name: "1" for name in (*TICKS, "enabled") if getattr(rules, name)},
        **week.grid_of(rules.opening),
    }


def _document(typed: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Read the form of a topic."""
    hours, errors = week.read_grid(typed)
    goal = typed.get("goal", "")
    target = "agent" if goal == "demo" else typed.get(f"to_{goal}", "").strip()
    if goal == "phone":
        target = "".join(letter for letter in target if letter not in " ()-")
    texts = {name: typed.get(name, "").strip() for name in ("name", "tariff", "otherwise")}
    document = {
        **{name: text for name, text in texts.items() if text},
        "destination": f"{goal}:{target}" if target else None,
        **{name: True for name in TICKS if name in typed},
        **({} if "enabled" in typed else {"enabled": False}),
        **hours,
    }
    return document, errors


async def save(request: web.Request, who: Who) -> web.StreamResponse:
    """Change a topic, or add one; another digit moves it there."""
    lines, did = await find_line(request, who)
    topic = _topic(request, did)
    if not (may(who, lines, did.client, "topics") or may(who, lines, did.client, "hours")):
        raise Refusal("forbidden", _("Your provider has not opened topics for you to change."))
    typed = await read_form(request)
    digit = typed.get("digit", "")
    if (digit, digit) not in _free(did, topic):
        errors = {"digit": _("Choose a digit that is free.")}
        return await _page(request, who, tried=Tried(errors=errors), typed=typed)
    part, errors = _document(typed)
    if errors:
        return await _page(request, who, tried=Tried(errors=errors), typed=typed)
    document = did_document(did)
    if topic is not None:
        del document["topics"][topic.digit]
    document["topics"][int(digit)] = part
    tried = await _put(request, who, did, document, typed)
    if tried.change is None:
        return await _page(request, who, tried=tried, typed=typed)
    before, after = tried.change.lines()
    action = "change topic" if topic else "add topic"
    await web_of(request).note(who, action, did.number, before=before, after=after)
    raise web.HTTPSeeOther(f"{home_of(who)}/{did.number}?done=topic#topics")


async def remove(request: web.Request, who: Who) -> web.StreamResponse:
    """Remove a topic; calls that are in it go on."""
    _lines, did = await find_line(request, who)
    topic = _topic(request, did)
    assert topic is not None
    typed = await read_form(request)
    document = did_document(did)
    del document["topics"][topic.digit]
    tried = await _put(request, who, did, document, typed)
    if tried.change is None:
        told = {WHOLE: " ".join(tried.errors.values())} if tried.errors else {}
        return await _page(request, who, tried=Tried(errors=told, conflict=tried.conflict))
    before, after = tried.change.lines()
    await web_of(request).note(who, "remove topic", did.number, before=before, after=after)
    raise web.HTTPSeeOther(f"{home_of(who)}/{did.number}?done=removed#topics")


async def _put(
    request: web.Request, who: Who, did: Did, document: dict[str, Any], typed: Mapping[str, str]
) -> Tried:
    expected = typed.get("version", "")
    return await try_edit(
        change_line(editor_of(request, who), did.number, document, expected=expected)
    )


def _pages(home: str, roles: frozenset[Role], right: Right | None) -> tuple[Page, ...]:
    topics = f"{home}/{NUMBER_PATH}/topics"
    one = f"{topics}/{DIGIT_PATH}"
    return (
        Page(method="GET", path=f"{topics}/new", roles=roles, handler=show_new),
        Page(method="POST", path=topics, roles=roles, handler=save, right=right),
        Page(method="GET", path=one, roles=roles, handler=show),
        Page(method="POST", path=one, roles=roles, handler=save, right=right),
        Page(method="POST", path=f"{one}/remove", roles=roles, handler=remove, right=right),
    )


PAGES: Final = (
    *_pages("/admin/dids", OPERATORS, Right.LINES),
    *_pages("/portal/lines", CLIENTS, Right.LINES),
)
