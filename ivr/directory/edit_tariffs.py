"""Price lists, changed one at a time: what is saved becomes a new version, now or from a date on.

Sessions go on with the version they were authorised with. A tariff has at most one version that
is planned; it can be changed or dropped until its date has come.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import moment_of
from billing.domain.tariffs import Tariff
from billing.errors import UnknownTariff
from ivr.directory.catalog_export import tariff_document
from ivr.directory.catalog_tariffs import PlannedTariff, read_tariff
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
from ivr.directory.limits import beyond_limits
from ivr.directory.model import Directory, TariffVersion
from ivr.directory.own_lines import owner_of_tariff
from ivr.directory.store import load_planned
from ivr.directory.yaml_reader import Node

YEAR_US: Final = 366 * 86_400 * 1_000_000


def tariff_of(
    version: TariffVersion | None, planned: tuple[int, TariffVersion] | None
) -> Document | None:
    """Write what is in force and what is planned; None for what is not there."""
    if version is None:
        return None
    document = {"currency": version.tariff.currency, **tariff_document(version.tariff)}
    if planned is not None:
        at_us, then = planned
        document["next"] = {
            "in_force_from": moment_of(at_us).isoformat(),
            **tariff_document(then.tariff),
        }
    return document


def read_prices(name: str, node: Node, currency: str) -> Tariff:
    """Check a price list that somebody wrote.

    Raises:
        CatalogInvalid: with all mistakes, named by their places.

    """
    tariff, planned = read_named(name, node, currency, read_tariff)
    if planned is not None or tariff is None or tariff.currency != currency:
        refuse_problems([("next", "choose the date in its own field; the currency stays")])
    assert tariff is not None
    return tariff


async def save_tariff(
    editor: Editor, tariff: Tariff, *, expected: str, from_us: int | None = None
) -> Change:
    """Save a price list as a new version, in force now or from a moment on.

    Raises:
        CatalogInvalid: beyond the limits of a client, or a date that is over.
        ChangedMeanwhile: it is not what was read before.
        EditRefused: not the client's own, or a line stays with the version that is planned.

    """
    now_us = editor.now_us()
    if from_us is not None and not now_us < from_us <= now_us + 10 * YEAR_US:
        refuse_problems([("in_force_from", "choose a moment that comes, within ten years")])
    await _may(editor, tariff)
    async with editor.engine.connect() as connection:
        planned = (await load_planned(connection, now_us)).get(tariff.name)
    current = (await editor.lines()).tariffs.get(tariff.name)
    if current is None and from_us is not None:
        refuse_problems([("in_force_from", "a new tariff begins now; plan its next version then")])
    if from_us is None:
        kept = planned and PlannedTariff(tariff=planned[1].tariff, in_force_us=planned[0])
        now, then = tariff, kept
    else:
        assert current is not None
        now, then = current.tariff, PlannedTariff(tariff=tariff, in_force_us=from_us)
    return await _put(editor, now, then, expected=expected)


async def drop_planned(editor: Editor, name: str, *, expected: str) -> Change:
    """Forget the version that was planned.

    Raises:
        UnknownTariff: there is no such tariff.
        ChangedMeanwhile: it is not what was read before.
        EditRefused: not the client's own, or a line stays with it.

    """
    current = (await editor.lines()).tariffs.get(name)
    if current is None:
        raise UnknownTariff(tariff=name)
    _own(editor, name)
    return await _put(editor, current.tariff, None, expected=expected)


async def _put(editor: Editor, now: Tariff, then: PlannedTariff | None, *, expected: str) -> Change:
    seen: list[Document | None] = []

    async def settled(connection: AsyncConnection, newest: Directory) -> None:
        planned = (await load_planned(connection, editor.now_us())).get(now.name)
        stored = tariff_of(newest.tariffs.get(now.name), planned)
        refuse_stale(f"the tariff {now.name}", expected, stored)
        _refuse_other_currency(newest, now)
        seen.append(stored)
        if editor.client is not None:
            limits = newest.clients[editor.client].rules.limits
            for each in (now, *([then.tariff] if then else [])):
                refuse_problems(beyond_limits(each, limits))

    await put(editor, fragment(tariffs=(now,), planned=(then,) if then else ()), settled)
    after = {"currency": now.currency, **tariff_document(now)}
    if then:
        moment = moment_of(then.in_force_us).isoformat()
        after["next"] = {"in_force_from": moment, **tariff_document(then.tariff)}
    return Change(before=written(seen[0]) if seen[0] else "", after=written(after))


async def _may(editor: Editor, tariff: Tariff) -> None:
    if editor.client is None:
        return
    _own(editor, tariff.name)
    client = (await editor.lines()).clients[editor.client]
    if not client.rules.limits.allows("tariffs"):
        raise EditRefused(reason="your provider has not opened tariffs for you to change")
    if tariff.currency != client.currency:
        refuse_problems([("currency", f"your account is kept in {client.currency}")])
    refuse_problems(beyond_limits(tariff, client.rules.limits))


def _own(editor: Editor, name: str) -> None:
    if editor.client is not None and owner_of_tariff(name) != editor.client:
        refuse_problems([("name", f"a tariff of yours begins with {editor.client}.")])


def _refuse_other_currency(directory: Directory, tariff: Tariff) -> None:
    stored = directory.tariffs.get(tariff.name)
    if stored is not None and stored.tariff.currency != tariff.currency:
        refuse_problems([("currency", f"this tariff costs {stored.tariff.currency} already")])
