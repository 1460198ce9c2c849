"""One tariff: its versions, where it is used, what is planned; changed after a preview.

A change is checked, shown beside what is in force (which lines, what talks cost), and saved as a
new version, now or from a date on. Clients do the same with tariffs of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from billing.domain.rating import RateTable
from billing.domain.tariffs import Tariff
from billing.errors import InvalidInput
from billing.money import Micros
from ivr.directory.catalog_export import tariff_document
from ivr.directory.catalog_tariffs import moment_from
from ivr.directory.edit_tariffs import drop_planned, read_prices, save_tariff, tariff_of
from ivr.directory.edits import (
    Change,
    Document,
    node_of,
    node_of_text,
    refuse_problems,
    version_of,
    written,
)
from ivr.directory.limits import beyond_limits
from ivr.directory.mistakes import CatalogInvalid
from ivr.directory.model import Directory, TariffVersion, parse_pin
from ivr.directory.own_lines import owner_of_tariff
from ivr.directory.store import load_planned
from ivr.web.guard import Page, read_form, render
from ivr.web.language import gettext as _
from ivr.web.lines import tariff_form
from ivr.web.lines.desk import (
    NOT_TRIED,
    Tried,
    editor_of,
    may,
    placed,
    read_lines,
    sentence,
    try_edit,
)
from ivr.web.lines.tree import brief
from ivr.web.problems import Refusal
from ivr.web.queries.lines import changes_of
from ivr.web.queries.tariffs import list_versions
from ivr.web.scope import CLIENTS, OPERATORS, Right, Role, Who
from ivr.web.state import web_of

TARIFF_PATH: Final = "{tariff:[a-z0-9][a-z0-9_.-]{0,63}}"
EXAMPLES: Final = (1, 5, 20, 60)
NEW_FIELDS: Final = {"setup_fee": "0.00", "tiers[0].from": "0m", "tiers[0].price": "0.50/min",
                     "rounding.method": "half_up", "rounding.decimals": "6"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What a talk of some minutes costs, with what is in force and with what is typed."""

    minutes: int
    old: Micros | None
    new: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would be, before it is saved; `seal` names exactly this."""

    examples: tuple[Example, ...]
    gone: str
    came: str
    seal: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A tariff as it is stored."""

    lines: Directory
    version: TariffVersion | None
    planned: tuple[int, TariffVersion] | None

    @property
    def document(self) -> Document | None:
        """Write it, for comparison."""
        return tariff_of(self.version, self.planned)


async def show(request: web.Request, who: Who) -> web.Response:
    """Show a tariff."""
    return await _page(request, who)


async def _stored(request: web.Request, who: Who) -> Stored:
    running = web_of(request)
    name = request.match_info.get("tariff")
    lines = await read_lines(request, who)
    version = lines.tariffs.get(name) if name else None
    if name and version is None:
        raise Refusal("not_found", _("There is no such tariff."))
    async with running.reading() as connection:
        planned = (await load_planned(connection, running.now_us())).get(name or "")
    return Stored(lines=lines, version=version, planned=planned)


async def _page(
    request: web.Request,
    who: Who,
    *,
    tried: Tried = NOT_TRIED,
    typed: Mapping[str, str] | None = None,
    preview: Preview | None = None,
) -> web.Response:
    stored = await _stored(request, who)
    version = stored.version
    document = tariff_document(version.tariff) if version else None
    fields = typed if typed is not None else _fields(document)
    name = version.name if version else ""
    async with web_of(request).reading() as connection:
        versions = [one for one in await list_versions(connection) if version and one.name == name]
        changes = await changes_of(connection, who.scope, f"tariff {name}") if version else []
    values = {
        "version_now": version,
        "brief": brief(version.tariff) if version else "",
        "versions": [(one, brief(one.tariff)) for one in versions],
        "planned": stored.planned,
        "planned_brief": brief(stored.planned[1].tariff) if stored.planned else "",
        "uses": uses_of(stored.lines, name),
        "state": version_of(stored.document),
        "fields": fields,
        "row_counts": tariff_form.shown_rows(fields),
        "text": fields.get("text") or written(document or {"tiers": [{"price": "0.50/min"}]}),
        "as_text": "text" in (typed or {}),
        "errors": placed(tried.errors, tariff_form.FIELDS),
        "conflict": tried.conflict,
        "preview": preview,
        "changes": changes,
        "base": f"{who.home}/tariffs",
        "may": _may(who, stored.lines, name),
        "prefix": "" if who.role is Role.OPERATOR else f"{who.scope.client(None)}.",
        "currencies": sorted({client.currency for client in stored.lines.clients.values()}),
        "done": request.query.get("done", ""),
    }
    return render(request, "lines/tariff.html", who, values, status=tried.status)


def _fields(document: Document | None) -> dict[str, str]:
    return tariff_form.fields_of(document) if document else dict(NEW_FIELDS)


def _may(who: Who, lines: Directory, name: str) -> bool:
    if who.role is Role.OPERATOR:
        return True
    mine = who.scope.client(None) or ""
    return may(who, lines, mine, "tariffs") and (not name or owner_of_tariff(name) == mine)


def uses_of(lines: Directory, name: str) -> list[tuple[str, str, int | None]]:
    """List where a tariff stands: the line, what of it, and the version that it stays with."""
    found = []
    for number, did in sorted(lines.dids.items()):
        if did.rules.retired:
            continue
        named = [(_("the line"), did.tariff), (_("announced"), did.rules.announced or "")]
        named += [(f"{topic.digit} {topic.name}", topic.tariff or "") for topic in did.topics]
        for place, tariff in named:
            plain, pinned = parse_pin(tariff)
            if plain == name and name:
                found.append((number, place, pinned))
    return found


async def save(request: web.Request, who: Who) -> web.StreamResponse:
    """Preview a change, or save it when exactly that was previewed."""
    stored = await _stored(request, who)
    typed = await read_form(request)
    typed = dict(typed) if "text" in typed else tariff_form.compact(typed)
    name = stored.version.name if stored.version else typed.get("name", "").strip()
    if not _may(who, stored.lines, stored.version.name if stored.version else ""):
        raise Refusal("forbidden", _("Only your provider changes this tariff."))
    try:
        tariff = _read(stored, typed, name, who)
        from_us = _moment(typed)
        if who.role is not Role.OPERATOR:
            limits = stored.lines.clients[who.scope.client(None) or ""].rules.limits
            refuse_problems(beyond_limits(tariff, limits))
    except CatalogInvalid as error:
        wrong = {each.field: sentence(each.message) for each in reversed(error.mistakes)}
        return await _page(request, who, tried=Tried(errors=wrong), typed=typed)
    preview = _preview(stored, tariff, from_us)
    if typed.get("step") != "save" or typed.get("seal") != preview.seal:
        return await _page(request, who, typed=typed, preview=preview)
    tried = await try_edit(
        save_tariff(
            editor_of(request, who), tariff, expected=typed.get("state", ""), from_us=from_us
        )
    )
    if tried.change is None:
        return await _page(request, who, tried=tried, typed=typed)
    await _note(request, who, "plan tariff" if from_us else "save tariff", name, tried.change)
    done = "planned" if from_us else "saved"
    raise web.HTTPSeeOther(f"{who.home}/tariffs/{name}?done={done}")


def _read(stored: Stored, typed: Mapping[str, str], name: str, who: Who) -> Tariff:
    if stored.version is None and name in stored.lines.tariffs:
        refuse_problems([("name", _("There is a tariff of this name already."))])
    currency = _currency(stored, typed, who)
    node = (
        node_of_text(typed["text"]) if "text" in typed else node_of(tariff_form.document_of(typed))
    )
    return read_prices(name, node, currency)


def _currency(stored: Stored, typed: Mapping[str, str], who: Who) -> str:
    if stored.version is not None:
        return stored.version.tariff.currency
    if who.role is Role.OPERATOR:
        return typed.get("currency", "").strip()
    return stored.lines.clients[who.scope.client(None) or ""].currency


def _moment(typed: Mapping[str, str]) -> int | None:
    if typed.get("when") != "later":
        return None
    try:
        return moment_from(typed.get("in_force_from", "").strip())
    except (ValueError, InvalidInput) as error:
        refuse_problems([("in_force_from", str(error))])
    raise AssertionError  # of no use but for types: the line above raises


def _preview(stored: Stored, tariff: Tariff, from_us: int | None) -> Preview:
    before = stored.version.tariff if stored.version else None
    documents = [tariff_document(each) if each else None for each in (before, tariff)]
    change = Change(
        before=written(documents[0]) if documents[0] else "", after=written(documents[1])
    )
    gone, came = change.lines()
    old = RateTable.compile(before) if before else None
    new = RateTable.compile(tariff)
    return Preview(
        examples=tuple(
            Example(
                minutes=minutes,
                old=old.charge(minutes * 60).cost if old else None,
                new=new.charge(minutes * 60).cost,
            )
            for minutes in EXAMPLES
        ),
        gone=gone,
        came=came,
        seal=version_of([documents[1], from_us]),
        currency=tariff.currency,
    )


async def drop(request: web.Request, who: Who) -> web.StreamResponse:
    """Forget the planned version."""
    stored = await _stored(request, who)
    assert stored.version is not None
    name = stored.version.name
    if not _may(who, stored.lines, name):
        raise Refusal("forbidden", _("Only your provider changes this tariff."))
    typed = await read_form(request)
    tried = await try_edit(
        drop_planned(editor_of(request, who), name, expected=typed.get("state", ""))
    )
    if tried.change is None:
        return await _page(request, who, tried=tried)
    await _note(request, who, "drop planned tariff", name, tried.change)
    raise web.HTTPSeeOther(f"{who.home}/tariffs/{name}?done=dropped")


async def _note(request: web.Request, who: Who, action: str, name: str, change: Change) -> None:
    before, after = change.lines()
    await web_of(request).note(who, action, f"tariff {name}", before=before, after=after)


def _pages(home: str, roles: frozenset[Role], right: Right | None) -> tuple[Page, ...]:
    one = f"{home}/tariffs/{TARIFF_PATH}"
    return (
        Page(method="GET", path=f"{home}/new-tariff", roles=roles, handler=show),
        Page(method="POST", path=f"{home}/new-tariff", roles=roles, handler=save, right=right),
        Page(method="GET", path=one, roles=roles, handler=show),
        Page(method="POST", path=one, roles=roles, handler=save, right=right),
        Page(method="POST", path=f"{one}/drop", roles=roles, handler=drop, right=right),
    )


PAGES: Final = (*_pages("/admin", OPERATORS, Right.LINES), *_pages("/portal", CLIENTS, Right.LINES))
