"""YAML with line numbers and manners: what was written where, and every mistake at once.

Only plain values, lists and maps are read: no tags, no anchors (so no bombs), no key twice, and
nothing too large or too deep. Nothing is ever constructed from the file but text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import yaml

from billing.errors import BillingError
from ivr.directory.mistakes import CatalogInvalid, Notes

FILE_BYTES_MAX: Final = 4_000_000
DEPTH_MAX: Final = 20
NODES_MAX: Final = 200_000
_NULL: Final = "tag:yaml.org,2002:null"
_STEP: Final = re.compile(r"([a-z_]+)|\[(\d+)\]", re.ASCII)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file and where it stands; reading it wrong is noted, never raised."""

    raw: yaml.Node | None
    place: str
    notes: Notes
    line_before: int = 1

    @property
    def line(self) -> int:
        """The line of a single value; of a map or list the line of its name."""
        if isinstance(self.raw, yaml.ScalarNode):
            return _line_of(self.raw)
        return self.line_before

    @property
    def given(self) -> bool:
        """Tell whether anything stands there; `null` and nothing are the same."""
        return self.raw is not None and not (
            isinstance(self.raw, yaml.ScalarNode) and self.raw.tag == _NULL
        )

    @property
    def is_map(self) -> bool:
        """Tell whether a map stands there."""
        return isinstance(self.raw, yaml.MappingNode)

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
        seen: dict[str, int] = {}
        for key, value in self.raw.value:
            line = _line_of(key)
            if not isinstance(key, yaml.ScalarNode):
                self.notes.add(line, self.place, "a name must be a single value")
                continue
            name: str = key.value
            child = Node(value, self._below(name), self.notes, line)
            if name in seen:
                self.notes.add(line, child.place, f"stands at line {seen[name]} already")
                continue
            seen[name] = line
            yield name, child

    def map(self, known: frozenset[str]) -> dict[str, Node]:
        """Read a map whose names are fixed; others are mistakes. Missing names are empty."""
        found = {name: Node(None, self._below(name), self.notes, self.line) for name in known}
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
            Node(value, f"{self.place}[{number}]", self.notes, _line_of(value))
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

    def at(self, path: str) -> Node:
        """Go down to a place such as `tiers[1].from`, on the line of what stands there, if any."""
        raw, line = self.raw, self.line
        for name, number in _STEP.findall(path):
            raw, line = _child(raw, name, number, line)
        return Node(raw, self._below(path), self.notes, line)

    def _below(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name


def _line_of(raw: yaml.Node) -> int:
    line: int = raw.start_mark.line
    return line + 1


def _child(
    raw: yaml.Node | None, name: str, number: str, line: int
) -> tuple[yaml.Node | None, int]:
    """Step into a map or list; where nothing stands the line stays."""
    if name and isinstance(raw, yaml.MappingNode):
        for key, value in raw.value:
            if key.value == name:
                return value, _line_of(key)
    if number and isinstance(raw, yaml.SequenceNode) and int(number) < len(raw.value):
        value = raw.value[int(number)]
        return value, _line_of(value)
    return None, line


def read(path: Path, *, nodes_max: int = NODES_MAX) -> Node:
    """Read a file to its root node.

    Raises:
        CatalogInvalid: unreadable, no YAML, or more than the limits allow.

    """
    notes = Notes(str(path))
    try:
        text = _text(path)
    except UnicodeDecodeError as error:
        notes.add(error.object.count(b"\n", 0, error.start) + 1, "", "not UTF-8 text")
    except OSError as error:
        notes.add(1, "", error.strerror or "cannot be read")
    except _TooLarge:
        notes.add(1, "", f"larger than {FILE_BYTES_MAX} bytes")
    else:
        return _compose(text, notes, nodes_max)
    raise CatalogInvalid(notes.mistakes)


def read_text(text: str, *, name: str, nodes_max: int = NODES_MAX) -> Node:
    """Read a text that came in another way; `name` stands for its file.

    Raises:
        CatalogInvalid: no YAML, or more than the limits allow.

    """
    return _compose(text, Notes(name), nodes_max)


def _compose(text: str, notes: Notes, nodes_max: int) -> Node:
    try:
        return Node(_Loader(text, nodes_max).get_single_node(), "", notes)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        notes.add(line, "", "a character that no text file has")
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "not YAML"
        notes.add(mark.line + 1 if mark else 1, "", str(problem))
    raise CatalogInvalid(notes.mistakes)


class _TooLarge(Exception):
    """The file is longer than anybody writes."""


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise _TooLarge
    return content.decode("utf-8-sig")


class _Loader(yaml.SafeLoader):
    """Composes nodes, within limits, without anchors and without tags."""

    def __init__(self, stream: str, nodes_max: int) -> None:
        super().__init__(stream)
        self._nodes_max = nodes_max
        self._depth = 0
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse what no price list needs."""
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the library has no types here
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused("anchors and aliases are not read", event)
        if getattr(event, "tag", None):
            raise _refused("tags are not read", event)
        self._depth += 1
        self._nodes += 1
        if self._depth > DEPTH_MAX or self._nodes > self._nodes_max:
            raise _refused("too deep or too large", event)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _refused(problem: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    mark = event.start_mark
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)  # type: ignore[arg-type]  # the stubs know two kinds of marks
