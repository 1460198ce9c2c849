"""Queues: how callers wait and who answers; agents with their phones, numbers and PINs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from billing.errors import BillingError
from ivr.directory.edit_queues import delete_queue, new_pin, queue_of, save_queue, uses_of_queue
from ivr.directory.edits import version_of
from ivr.directory.model import Directory
from ivr.directory.own_lines import own_queue_prefix
from ivr.directory.queues import STRATEGIES, Queue, queues_document
from ivr.web.guard import Page, read_form, render
from ivr.web.language import gettext as _
from ivr.web.lines.desk import (
    NOT_TRIED,
    WHOLE,
    Tried,
    editor_of,
    may,
    placed,
    read_lines,
    try_edit,
)
from ivr.web.problems import Refusal, problem_of
from ivr.web.queries.lines import changes_of
from ivr.web.scope import CLIENTS, OPERATORS, Right, Role, Who
from ivr.web.state import web_of

QUEUE_PATH: Final = "{queue:[a-z0-9-]{1,64}}"
COLUMNS: Final = ("code", "phone", "number")
ROWS_MAX: Final = 30
SPARE: Final = 2
TEXTS: Final = ("strategy", "wrap_up", "ring", "wait", "overflow")
FIELDS: Final = (
    "name", "client", *TEXTS, "agents",
    *(f"agents[{row}].{column}" for row in range(ROWS_MAX) for column in COLUMNS),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A queue in the list."""

    queue: Queue
    here: int
    uses: tuple[str, ...]


async def show(request: web.Request, who: Who) -> web.Response:
    """List the queues."""
    lines = await read_lines(request, who)
    values = {
        "rows": [
            Row(
                queue=queue,
                here=sum((queue.client, each.code) not in lines.away for each in queue.agents),
                uses=tuple(uses_of_queue(lines, name)),
            )
            for name, queue in sorted(lines.queues.items())
        ],
        "base": f"{who.home}/queues",
        "may": _may_any(who, lines),
        "deleted": "deleted" in request.query,
    }
    return render(request, "lines/queues.html", who, values)


def _may_any(who: Who, lines: Directory) -> bool:
    return who.role is Role.OPERATOR or may(who, lines, who.scope.client(None) or "", "queues")


async def show_one(request: web.Request, who: Who) -> web.Response:
    """Show a queue, or the form of a new one."""
    return await _page(request, who)


def _find(request: web.Request, lines: Directory) -> Queue | None:
    name = request.match_info.get("queue")
    if name is None:
        return None
    found = lines.queues.get(name)
    if found is None:
        raise Refusal("not_found", _("There is no such queue."))
    return found


async def _page(
    request: web.Request,
    who: Who,
    *,
    tried: Tried = NOT_TRIED,
    typed: Mapping[str, str] | None = None,
    pin: tuple[str, str] | None = None,
) -> web.Response:
    lines = await read_lines(request, who)
    queue = _find(request, lines)
    fields = typed if typed is not None else fields_of(queue)
    used = sum(bool(fields.get(f"agents[{row}].code")) for row in range(ROWS_MAX))
    async with web_of(request).reading() as connection:
        changes = await changes_of(connection, who.scope, f"queue {queue.name}") if queue else []
    client = queue.client if queue else who.scope.client(None)
    values = {
        "queue": queue,
        "base": f"{who.home}/queues",
        "version": version_of(queue_of(queue)),
        "fields": fields,
        "rows": min(ROWS_MAX, used + SPARE),
        "too_many": queue is not None and len(queue.agents) > ROWS_MAX,
        "strategies": _strategies(),
        "clients": [(code, code) for code in sorted(lines.clients)],
        "prefix": own_queue_prefix(client) if client and who.role is Role.CLIENT else "",
        "away": {
            each.code: lines.away.get((queue.client, each.code), "available")
            for each in queue.agents
        }
        if queue
        else {},
        "numbered": [each.code for each in queue.agents if each.number] if queue else [],
        "uses": uses_of_queue(lines, queue.name) if queue else [],
        "may_queue": _may_any(who, lines),
        "may_agents": may(who, lines, client or "", "agents"),
        "errors": placed(_by_row(tried.errors, fields), FIELDS),
        "conflict": tried.conflict,
        "changes": changes,
        "pin": pin,
        "done": request.query.get("done", ""),
    }
    return render(request, "lines/queue.html", who, values, status=tried.status)


def _strategies() -> list[tuple[str, str]]:
    words = {
        "rrmemory": _("In turn, and remember whose it was"),
        "ringall": _("All at once"),
        "leastrecent": _("Who was idle longest"),
        "fewestcalls": _("Who had the fewest calls"),
        "random": _("By chance"),
        "linear": _("In the order of the list"),
    }
    return [(name, words[name]) for name in sorted(STRATEGIES, key=list(words).index)]


def fields_of(queue: Queue | None) -> dict[str, str]:
    """Write a queue as the fields of its form."""
    if queue is None:
        return {"strategy": "rrmemory", "wrap_up": "5s", "ring": "15s", "wait": "10m"}
    document = queues_document([queue])[queue.name]
    fields = {name: str(document[name]) for name in TEXTS if name in document}
    for row, agent in enumerate(queue.agents[:ROWS_MAX]):
        fields[f"agents[{row}].code"] = agent.code
        fields[f"agents[{row}].phone"] = str(agent.destination)
        fields[f"agents[{row}].number"] = agent.number
    return fields


def _by_row(errors: Mapping[str, str], fields: Mapping[str, str]) -> dict[str, str]:
    """Bring the mistakes of an agent to its row: the notation knows agents by their names."""
    rows = {fields.get(f"agents[{row}].code", "").strip(): row for row in range(ROWS_MAX)}
    found: dict[str, str] = {}
    for place, message in errors.items():
        head, _dot, rest = place.partition("agents.")
        code, _dot, column = rest.rpartition(".")
        if not head and rest and (rest in rows or code in rows):
            row = rows.get(rest, rows.get(code, 0))
            name = column if code in rows and rest not in rows else "code"
            found[f"agents[{row}].{name if name in COLUMNS else 'phone'}"] = message
        else:
            found[place] = message
    return found


def _document(typed: Mapping[str, str], stored: Queue | None) -> tuple[dict[str, Any], str]:
    """Read the form; the name of an agent that stands twice comes back, too."""
    agents: dict[str, Any] = {}
    twice = ""
    for row in range(ROWS_MAX):
        code, phone, number = (
            typed.get(f"agents[{row}].{column}", "").strip() for column in COLUMNS
        )
        if not (code or phone or number):
            continue
        twice = twice or (code if code in agents else "")
        agents[code] = {"phone": phone or None, **({"number": number} if number else {})}
    if stored is not None:
        # What the form had no room for stays.
        rest = queues_document([stored])[stored.name]["agents"]
        agents |= {agent.code: rest[agent.code] for agent in stored.agents[ROWS_MAX:]}
    document = {name: typed[name].strip() for name in TEXTS if typed.get(name, "").strip()}
    return {**document, "agents": agents}, twice


async def save(request: web.Request, who: Who) -> web.StreamResponse:
    """Change a queue, or add one."""
    lines = await read_lines(request, who)
    queue = _find(request, lines)
    typed = await read_form(request)
    client = queue.client if queue else (who.scope.client(None) or typed.get("client", ""))
    if not (_may_any(who, lines) or may(who, lines, client, "agents")):
        raise Refusal("forbidden", _("Your provider has not opened queues for you to change."))
    name = queue.name if queue else typed.get("name", "").strip()
    document, twice = _document(typed, queue)
    if twice:
        errors = {"agents": _("The agent %(name)s stands twice.") % {"name": twice}}
        return await _page(request, who, tried=Tried(errors=errors), typed=typed)
    expected = typed.get("version", "")
    tried = await try_edit(
        save_queue(editor_of(request, who), client, name, document, expected=expected)
    )
    if tried.change is None:
        return await _page(request, who, tried=tried, typed=typed)
    before, after = tried.change.lines()
    action = "change queue" if queue else "add queue"
    await web_of(request).note(who, action, f"queue {name}", before=before, after=after)
    raise web.HTTPSeeOther(f"{who.home}/queues/{name}?done=saved")


async def give_pin(request: web.Request, who: Who) -> web.StreamResponse:
    """Give an agent a new PIN and show it this once."""
    queue = _find(request, await read_lines(request, who))
    assert queue is not None
    agent = (await read_form(request)).get("agent", "")
    if agent not in {each.code for each in queue.agents}:
        errors = {WHOLE: _("This queue has no such agent.")}
        return await _page(request, who, tried=Tried(errors=errors))
    try:
        pin = await new_pin(editor_of(request, who), queue.client, agent)
    except BillingError as error:
        problem = problem_of(error)
        if problem is None or problem.status >= 500:
            raise
        return await _page(request, who, tried=Tried(errors={WHOLE: problem.detail}))
    await web_of(request).note(who, f"new PIN of agent {agent}", f"queue {queue.name}")
    return await _page(request, who, pin=(agent, pin))


async def delete(request: web.Request, who: Who) -> web.StreamResponse:
    """Delete a queue that nothing leads to."""
    queue = _find(request, await read_lines(request, who))
    assert queue is not None
    typed = await read_form(request)
    tried = await try_edit(
        delete_queue(editor_of(request, who), queue.name, expected=typed.get("version", ""))
    )
    if tried.change is None:
        return await _page(request, who, tried=tried)
    before, _after = tried.change.lines()
    await web_of(request).note(who, "delete queue", f"queue {queue.name}", before=before)
    raise web.HTTPSeeOther(f"{who.home}/queues?deleted=1")


def _pages(home: str, roles: frozenset[Role], right: Right | None) -> tuple[Page, ...]:
    one = f"{home}/queues/{QUEUE_PATH}"
    return (
        Page(method="GET", path=f"{home}/queues", roles=roles, handler=show),
        Page(method="GET", path=f"{home}/new-queue", roles=roles, handler=show_one),
        Page(method="POST", path=f"{home}/new-queue", roles=roles, handler=save, right=right),
        Page(method="GET", path=one, roles=roles, handler=show_one),
        Page(method="POST", path=one, roles=roles, handler=save, right=right),
        Page(method="POST", path=f"{one}/pin", roles=roles, handler=give_pin, right=right),
        Page(method="POST", path=f"{one}/delete", roles=roles, handler=delete, right=right),
    )


PAGES: Final = (*_pages("/admin", OPERATORS, Right.LINES), *_pages("/portal", CLIENTS, Right.LINES))
