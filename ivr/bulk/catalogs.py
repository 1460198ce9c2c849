"""Import of a catalog: the whole file or nothing of it, and exactly what was shown.

Looking at it is applying it in a transaction that is rolled back: nothing can be shown that the
real thing would do otherwise.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import Clock
from billing.errors import BillingError
from ivr.bulk.fates import Change, Fate, refused
from ivr.directory.catalog_apply import CatalogConflict, apply
from ivr.directory.catalog_file import Catalog, load_catalog_text
from ivr.directory.mistakes import CatalogInvalid
from ivr.directory.rows import Applied

SHOWN_MAX: Final = 120
HIDDEN: Final = "PIN of"
MOVED: Final = "This changed since it was shown. Look at the file again."


class _Looked(Exception):
    """Ends the transaction of a look; carries what would have been done."""

    def __init__(self, applied: Applied) -> None:
        self.applied = applied
        super().__init__()


async def read(text: str, name: str) -> tuple[Catalog | None, list[Fate]]:
    """Read a catalog; its mistakes come back as refused rows, with line and field."""
    try:
        return await asyncio.to_thread(load_catalog_text, text, name), []
    except CatalogInvalid as error:
        return None, [
            refused(one.line, one.file, one.field, f"{one.message[:1].upper()}{one.message[1:]}.")
            for one in error.mistakes
        ]


async def look(
    engine: AsyncEngine, catalog: Catalog, *, clock: Clock, pin_key: bytes
) -> list[Fate]:
    """Tell what applying it would do now."""

    def stop(applied: Applied) -> None:
        raise _Looked(applied)

    try:
        await apply(engine, catalog, clock=clock, pin_key=pin_key, last=stop)
    except _Looked as looked:
        return fates_of(looked.applied)
    except (CatalogConflict, BillingError) as conflict:
        return [refused(0, "", "", _sentence(conflict))]
    raise AssertionError("a look ends before anything is done")


async def apply_shown(
    engine: AsyncEngine,
    catalog: Catalog,
    shown: list[Fate],
    *,
    clock: Clock,
    pin_key: bytes,
    actor: str,
) -> list[Fate]:
    """Apply it if it still does what was shown; otherwise nothing of it."""
    wanted = [fate.token for fate in shown]

    def compare(applied: Applied) -> None:
        if [fate.token for fate in fates_of(applied)] != wanted:
            raise CatalogConflict(MOVED)

    try:
        applied = await apply(
            engine, catalog, clock=clock, pin_key=pin_key, actor=actor, last=compare
        )
    except (CatalogConflict, BillingError) as conflict:
        return [
            refused(1, "", "", f"{str(conflict)[:1].upper()}{str(conflict)[1:]}".rstrip(".") + ".")
        ]
    return fates_of(applied)


def _sentence(conflict: Exception) -> str:
    text = str(conflict)
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."


def fates_of(applied: Applied) -> list[Fate]:
    """Say what an apply did, thing by thing."""
    fates = [
        Fate(line=0, subject=what, what="new", changes=_fields(what, None, after))
        for what, before, after in applied.details
        if before is None
    ]
    fates += [
        Fate(line=0, subject=what, what="changed", changes=_fields(what, before, after))
        for what, before, after in applied.details
        if before is not None
    ]
    if applied.unchanged:
        words = f"{applied.unchanged:,} more things"
        fates.append(Fate(line=0, subject=words, what="unchanged"))
    return fates


def _fields(what: str, before: object, after: object) -> tuple[Change, ...]:
    if what.startswith(HIDDEN):
        return (Change(field="pin", before="set" if before else "", after="another"),)
    old, new = _flat(before), _flat(after)
    return tuple(
        Change(field=name, before=old.get(name, ""), after=new.get(name, ""))
        for name in sorted(old.keys() | new.keys())
        if old.get(name, "") != new.get(name, "")
    )


def _flat(value: object, place: str = "") -> dict[str, str]:
    """Write nested values as `name.name: text`, JSON inside of texts too."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            value = json.loads(value)
        except ValueError:
            return {place: _short(value)}
    items: Mapping[Any, Any] = {}  # Any: names or places
    if isinstance(value, Mapping):
        items = value
    elif isinstance(value, list | tuple):
        items = dict(enumerate(value))
    elif value is None:
        return {}
    else:
        return {place or "value": _short(value)}
    found: dict[str, str] = {}
    for name, child in items.items():
        # The parts of a thing that is kept in several tables have no names of their own.
        if str(name).endswith("_us"):
            continue  # moments that are those of the apply itself
        below = place if isinstance(value, tuple) else f"{place}.{name}" if place else str(name)
        found |= _flat(child, below)
    return found


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"
