"""YAML with line numbers and manners: what was written where, and every mistake at once.

Only plain values, lists and maps are read: no tags, no anchors (so no bombs), no key twice, and
nothing too large or too deep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import yaml

from billing.errors import BillingError

FILE_BYTES_MAX: Final = 10_000_000
DEPTH_MAX: Final = 20
NODES_MAX: Final = 500_000
MISTAKES_MAX: Final = 200

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is wrong, and where."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.message}"


class CatalogInvalid(Exception):
    """The file has mistakes; nothing of it was applied."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = sorted(mistakes, key=lambda mistake: mistake.line)
        super().__init__("\n".join(map(str, self.mistakes)))


@dataclass(slots=True)
class Notes:
    """Collects mistakes of one file."""

    file: str
    mistakes: list[Mistake] = field(default_factory=list)

    def add(self, line: int, place: str, message: str) -> None:
        """Note one mistake; after a few hundred nobody reads on."""
        if len(self.mistakes) < MISTAKES_MAX:
            self.mistakes.append(
                Mistake(file=self.file, line=line, field=place or "file", message=message)
            )


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file and where it stands; reading it wrong is noted, never raised."""

    raw: yaml.Node | None
    place: str
    notes: Notes
    line_before: int = 1

    @property
    def line(self) -> int:
        """The line of this value, or of what should hold it."""
        return self.raw.start_mark.line + 1 if self.raw is not None else self.line_before

    @property
    def given(self) -> bool:
        """Tell whether anything stands there; `null` and nothing are the same."""
        return self.raw is not None and not (
            isinstance(self.raw, yaml.ScalarNode) and self.raw.tag == "tag:yaml.org,2002:null"
        )

    def wrong(self, message: str) -> None:
        """Note a mistake here."""
        self.notes.add(self.line, self.place, message)

    def items(self) -> Iterator[tuple[str, Node]]:
        """Walk a map."""
        if not self.given:
            return
        if not isinstance(self.raw, yaml.MappingNode):
            self.wrong("a map is needed here")
            return
        seen: set[str] = set()
        for key, value in self.raw.value:
            name = str(key.value)
            child = Node(value, f"{self.place}.{name}" if self.place else name, self.notes)
            if not isinstance(key, yaml.ScalarNode) or name in seen:
                self.notes.add(key.start_mark.line + 1, child.place, "stands here twice")
                continue
            seen.add(name)
            yield name, child

    def map(self, known: frozenset[str]) -> dict[str, Node]:
        """Read a map whose names are fixed; others are mistakes. Missing names are empty."""
        found = {
            name: Node(None, f"{self.place}.{name}" if self.place else name, self.notes, self.line)
            for name in known
        }
        for name, child in self.items():
            if name in known:
                found[name] = child
            else:
                child.wrong(f"unknown; known here: {', '.join(sorted(known))}")
        return found

    def list(self) -> list[Node]:
        """Read a list."""
        if not self.given:
            return []
        if not isinstance(self.raw, yaml.SequenceNode):
            self.wrong("a list is needed here")
            return []
        return [
            Node(value, f"{self.place}[{number}]", self.notes)
            for number, value in enumerate(self.raw.value)
        ]

    def read(self, parse: Callable[[str], Value], default: Value) -> Value:
        """Read one value with `parse`; a mistake is noted and the default taken."""
        if not self.given:
            return default
        if not isinstance(self.raw, yaml.ScalarNode):
            self.wrong("a single value is needed here")
            return default
        try:
            return parse(self.raw.value)
        except BillingError as error:
            self.wrong(str(error).removeprefix("invalid input: "))
        except ValueError as error:
            self.wrong(str(error))
        return default

    def text(self, default: str = "") -> str:
        """Read a text."""
        return self.read(str, default)

    def need(self) -> Node:
        """Note it when nothing stands here."""
        if not self.given:
            self.wrong("is missing")
        return self


def read(path: Path) -> Node:
    """Read a file to its root node.

    Raises:
        CatalogInvalid: unreadable, no YAML, or more than the limits allow.

    """
    notes = Notes(str(path))
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1)
        if len(text) > FILE_BYTES_MAX:
            notes.add(1, "", f"larger than {FILE_BYTES_MAX} bytes")
            raise CatalogInvalid(notes.mistakes)
        root = yaml.compose(text.decode("utf-8"), Loader=_Loader)
    except OSError as error:
        notes.add(1, "", error.strerror or "cannot be read")
        raise CatalogInvalid(notes.mistakes) from None
    except UnicodeDecodeError:
        notes.add(1, "", "not UTF-8 text")
        raise CatalogInvalid(notes.mistakes) from None
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "not YAML"
        notes.add(mark.line + 1 if mark else 1, "", str(problem))
        raise CatalogInvalid(notes.mistakes) from None
    return Node(root, "", notes)


class _Loader(yaml.SafeLoader):
    """Composes nodes, within limits and without anchors."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse what no price list needs."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(
                problem="anchors and aliases are not read", problem_mark=event.start_mark
            )
        self._depth += 1
        self._nodes += 1
        if self._depth > DEPTH_MAX or self._nodes > NODES_MAX:
            raise yaml.MarkedYAMLError(
                problem="too deep or too large", problem_mark=event.start_mark
            )
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1
