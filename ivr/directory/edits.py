"""Changing one thing of the directory: written, checked and applied as the catalog is.

    read what is stored -> a person changes it -> check -> lock -> still what it was? -> apply

`expected` is the version of what somebody read before changing it; when another change came in
between, nothing is written and the error carries what is stored now.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.domain.tariffs import Problem
from billing.errors import Refused
from billing.ids import CODE
from ivr.directory.catalog_accounts import CatalogConflict
from ivr.directory.catalog_apply import apply
from ivr.directory.catalog_file import Catalog
from ivr.directory.catalog_words import currency as read_currency
from ivr.directory.mistakes import CatalogInvalid, Mistake, Notes
from ivr.directory.model import Client, Directory, parse_pin
from ivr.directory.store import load_lines
from ivr.directory.yaml_reader import Node, read_text
from ivr.directory.yaml_writer import write_yaml

Read = TypeVar("Read")
Document: TypeAlias = dict[str, Any]  # Any: YAML values
FORM: Final = "form"
VERSION_LENGTH: Final = 16
NEW: Final = ""


Settled: TypeAlias = Callable[[AsyncConnection, Directory], Awaitable[None]]
"""Looks at the newest directory while nobody else changes it; raises what speaks against it."""


class ChangedMeanwhile(Refused):
    """Somebody else changed it since it was read. Facts: what, now (its notation)."""

    code = "changed_meanwhile"
    sentence = "somebody changed {what} meanwhile"


class EditRefused(Refused):
    """The change does not fit what is there. Facts: reason."""

    code = "edit_refused"
    sentence = "{reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """Who changes the directory, and with what. `client` is None for the provider's people."""

    engine: AsyncEngine
    clock: Clock
    pin_key: bytes
    client: str | None = None

    def now_us(self) -> int:
        """Wall time in microseconds."""
        return microseconds_of(self.clock.now())

    async def lines(self) -> Directory:
        """Read what is stored at this moment."""
        async with self.engine.connect() as connection:
            return await load_lines(connection, self.now_us())


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What was stored before and after, in the notation of the catalog; "" for nothing."""

    before: str
    after: str

    def lines(self) -> tuple[str, str]:
        """Return only the lines that differ, for people who look at what was done."""
        removed: list[str] = []
        added: list[str] = []
        old, new = self.before.splitlines(), self.after.splitlines()
        for line in difflib.unified_diff(old, new, lineterm="", n=0):
            if line.startswith(("---", "+++", "@@")):
                continue
            (removed if line[0] == "-" else added).append(line[1:])
        return "\n".join(removed), "\n".join(added)


def written(document: object) -> str:
    """Write a document as YAML."""
    return write_yaml(document, width=100)


def version_of(document: object) -> str:
    """Name one state of a document; "" is what is not there."""
    if document is None:
        return NEW
    return hashlib.sha256(written(document).encode()).hexdigest()[:VERSION_LENGTH]


def node_of(document: object) -> Node:
    """Turn a document into what the catalog's readers read.

    Raises:
        CatalogInvalid: larger than any catalog may be.

    """
    return read_text(written(document), name=FORM)


def node_of_text(text: str) -> Node:
    """Read what somebody typed in the notation.

    Raises:
        CatalogInvalid: not YAML.

    """
    return read_text(text, name=FORM)


def refuse_mistakes(notes: Notes) -> None:
    """Raise what was noted."""
    if notes.mistakes:
        raise CatalogInvalid(notes.mistakes)


def refuse_problems(problems: Iterable[Problem]) -> None:
    """Raise problems as mistakes of the form."""
    found = [Mistake(file=FORM, line=0, field=place, message=reason) for place, reason in problems]
    if found:
        raise CatalogInvalid(found)


def read_named(
    name: str, node: Node, currency: str, reader: Callable[[str, Node, str], Read]
) -> Read:
    """Read what has a name and a currency of its own, as its reader of the catalog does.

    Raises:
        CatalogInvalid: with all mistakes, named by their places.

    """
    if not CODE.fullmatch(name):
        refuse_problems(
            [("name", "a name is lower case letters, digits, dot, dash, underscore, at most 64")]
        )
    try:
        read_currency(currency)
    except ValueError as error:
        refuse_problems([("currency", str(error))])
    found = reader(name, node, currency)
    refuse_mistakes(node.notes)
    return found


def priced(directory: Directory) -> Mapping[str, str | None]:
    """List the tariffs that a DID may name, with their currencies."""
    return {
        name: version.tariff.currency
        for name, version in directory.tariffs.items()
        if parse_pin(name)[1] is None
    }


def client_of(directory: Directory, code: str) -> Client:
    """Find a client.

    Raises:
        CatalogInvalid: there is none.

    """
    found = directory.clients.get(code)
    if found is None:
        refuse_problems([("client", f"there is no client {code!r}")])
    assert found is not None
    return found


def fragment(**parts: Any) -> Catalog:  # Any: fields of a catalog
    """Make a catalog of only what changes."""
    empty = Catalog(currency="USD", tariffs=(), clients=(), dids=(), accounts=())
    return replace(empty, **parts)


async def put(editor: Editor, catalog: Catalog, settled: Settled) -> None:
    """Apply a fragment if nothing speaks against it while the directory is locked.

    Raises:
        BillingError, CatalogInvalid: what `settled` raised.
        EditRefused: it names a version of a tariff that does not exist.

    """

    async def along(connection: AsyncConnection) -> None:
        await settled(connection, await load_lines(connection, editor.now_us()))

    try:
        await apply(editor.engine, catalog, clock=editor.clock, pin_key=editor.pin_key, along=along)
    except CatalogConflict as error:
        raise EditRefused(reason=str(error)) from None


def refuse_stale(what: str, expected: str, now: object) -> None:
    """Refuse a change of something that is not what it was when it was read.

    Raises:
        ChangedMeanwhile: with what it is now.

    """
    if version_of(now) != expected:
        raise ChangedMeanwhile(what=what, now="" if now is None else written(now))


def flattened(document: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Walk a document as (place, text), with the places that mistakes are named by."""
    match document:
        case Mapping():
            for key, value in document.items():
                yield from flattened(value, f"{place}.{key}" if place else str(key))
        case list() | tuple():
            for number, value in enumerate(document):
                yield from flattened(value, f"{place}[{number}]")
        case bool():
            yield place, "true" if document else "false"
        case None:
            return
        case _:
            yield place, str(document)
