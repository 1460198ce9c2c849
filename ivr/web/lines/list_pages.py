"""The list of lines, with search, and a new line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import available_timezones

from aiohttp import web

from billing.clock import microseconds_of
from ivr.directory.edit_lines import add_line
from ivr.directory.model import Did, Directory
from ivr.web.fields import OptionalCode, OptionalLine, PageInput
from ivr.web.guard import Page, read_form, render
from ivr.web.lines.desk import (
    NOT_TRIED,
    Tried,
    editor_of,
    home_of,
    placed,
    read_lines,
    try_edit,
)
from ivr.web.lines.tree import heard_order
from ivr.web.lines.week import until
from ivr.web.lists import read_filter
from ivr.web.queries.lines import calls_since
from ivr.web.scope import CLIENTS, OPERATORS, Right, Who
from ivr.web.state import web_of

SHOWN_MAX: Final = 200
NEW_FIELDS: Final = ("number", "client", "kind", "timezone", "tariff", "monthly_fee", "access.pin",
                     "name", "destination")  # fmt: skip


class ListForm(PageInput):
    """What to look for: part of a number or of a topic's name; and whose."""

    q: OptionalLine = None
    client: OptionalCode = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line in the list."""

    did: Did
    title: str
    is_open: bool
    when: str
    topics: str
    calls: int


async def show(request: web.Request, who: Who) -> web.Response:
    """List the lines."""
    form = read_filter(request, ListForm)
    running = web_of(request)
    lines = await read_lines(request, who)
    now = running.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    async with running.reading() as connection:
        counted = await calls_since(connection, who.scope, microseconds_of(midnight))
    found = [did for did in _sorted(lines) if _matches(did, form.value)]
    values = {
        "form": form,
        "rows": [_row(did, lines, now, counted) for did in found[:SHOWN_MAX]],
        "more": max(0, len(found) - SHOWN_MAX),
        "any": bool(lines.dids),
        "clients": [(code, code) for code in sorted(lines.clients)],
        "base": home_of(who),
    }
    return render(request, "lines/list.html", who, values)


def _sorted(lines: Directory) -> list[Did]:
    listed = (did for did in lines.dids.values() if not did.rules.retired)
    return sorted(listed, key=lambda did: did.number)


def _matches(did: Did, form: ListForm) -> bool:
    if form.client and did.client != form.client:
        return False
    wanted = (form.q or "").lower()
    texts = [did.number, did.client, did.tariff, *(topic.name.lower() for topic in did.topics)]
    return any(wanted in text for text in texts)


def _row(did: Did, lines: Directory, now: datetime, counted: dict[str, int]) -> Row:
    client = lines.clients.get(did.client)
    return Row(
        did=did,
        title=client.title if client else did.client,
        is_open=did.is_open(now),
        when=until(did.rules.opening, now, did.timezone),
        topics=", ".join(f"{topic.digit} {topic.name}" for topic in heard_order(did)),
        calls=counted.get(did.number, 0),
    )


async def show_new(request: web.Request, who: Who) -> web.Response:
    """Show the form of a new line."""
    return await _new(request, who, {"client": request.query.get("client", "")}, NOT_TRIED)


async def _new(request: web.Request, who: Who, typed: dict[str, str], tried: Tried) -> web.Response:
    lines = await read_lines(request, who)
    values = {
        "typed": {"timezone": "UTC", "access.pin": "optional", **typed},
        "errors": placed(
            {place.removeprefix("topics.1."): text for place, text in tried.errors.items()},
            NEW_FIELDS,
        ),
        "clients": [(code, f"{client.title} ({code}, {client.currency})")
                    for code, client in sorted(lines.clients.items())],
        "tariffs": tariff_choices(lines),
        "zones": zones(),
    }  # fmt: skip
    return render(request, "lines/new.html", who, values, status=tried.status)


def tariff_choices(lines: Directory) -> list[tuple[str, str]]:
    """List the tariffs with their currencies."""
    return [
        (name, f"{name} ({version.tariff.currency})")
        for name, version in sorted(lines.tariffs.items())
    ]


@lru_cache(maxsize=1)
def zones() -> list[str]:
    """List the time zones that this machine knows, for a field that proposes them."""
    return sorted(name for name in available_timezones() if "/" in name or name == "UTC")


async def add(request: web.Request, who: Who) -> web.StreamResponse:
    """Add a line with its first topic."""
    typed = await read_form(request)
    number = "".join(letter for letter in typed.get("number", "") if letter not in " +()-")
    access: dict[str, object] = {"pin": typed.get("access.pin", "")}
    access["trust_caller_id"] = "trust" in typed
    document = {
        "kind": "local",
        "monthly_fee": typed.get("monthly_fee") or None,
        "timezone": typed.get("timezone") or None,
        "tariff": typed.get("tariff") or None,
        "access": access,
        "topics": {
            1: {
                "name": typed.get("name") or None,
                "destination": typed.get("destination") or "demo:agent",
            }
        },
    }
    tried = await try_edit(
        add_line(editor_of(request, who), number, typed.get("client", ""), document)
    )
    if tried.change is None:
        return await _new(request, who, typed, tried)
    await web_of(request).note(who, "add line", number, after=tried.change.after)
    raise web.HTTPSeeOther(f"{home_of(who)}/{number}?done=added")


PAGES: Final = (
    Page(method="GET", path="/admin/dids", roles=OPERATORS, handler=show),
    Page(method="GET", path="/admin/dids/new", roles=OPERATORS, handler=show_new),
    Page(method="POST", path="/admin/dids", roles=OPERATORS, handler=add, right=Right.LINES),
    Page(method="GET", path="/portal/lines", roles=CLIENTS, handler=show),
)
