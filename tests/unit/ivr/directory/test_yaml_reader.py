"""A hostile or broken file costs a sentence, never memory, time or code."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.directory.mistakes import MISTAKES_MAX, SHOWN_MAX, CatalogInvalid, Mistake, Notes
from ivr.directory.yaml_reader import DEPTH_MAX, FILE_BYTES_MAX, Node, read


def node_of(tmp_path: Path, text: str) -> Node:
    file = tmp_path / "catalog.yaml"
    file.write_text(text, encoding="utf-8")
    return read(file)


def refusal(tmp_path: Path, content: bytes) -> Mistake:
    file = tmp_path / "catalog.yaml"
    file.write_bytes(content)
    with pytest.raises(CatalogInvalid) as refused:
        read(file)
    (mistake,) = refused.value.mistakes
    return mistake


BOMB = b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"
DEEP_LIST = b"[" * 100_000
DEEP_MAP = "\n".join(" " * depth + "a:" for depth in range(DEPTH_MAX + 2)).encode()


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (BOMB, 1, "anchors and aliases are not read"),
        (b"a: 1\nb: *a\n", 2, "anchors and aliases are not read"),
        (DEEP_LIST, 1, "too deep or too large"),
        (DEEP_MAP, DEPTH_MAX, "too deep or too large"),
        (b"a: 1\nb: !!python/object/apply:os.system [ls]\n", 2, "tags are not read"),
        (b"a: !!binary aGVsbG8=\n", 1, "tags are not read"),
        (b"a: !own x\n", 1, "tags are not read"),
        (b"a: 1\nb: [1, 2\nc: 3\n", 3, "expected ',' or ']'"),
        (b"a: 1\n\tb: 2\n", 2, "cannot start any token"),
        (b"a: 1\n---\nb: 2\n", 2, "but found another document"),
        (b"a: 1\nb: \x00\n", 2, "a character that no text file has"),
        (b"a: 1\nb: 2\nc: \xff\xfe\n", 3, "not UTF-8 text"),
        (b"# " + b"x" * FILE_BYTES_MAX, 1, "larger than"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else None,
)
def test_a_hostile_file_is_one_mistake_at_its_line(
    tmp_path: Path, content: bytes, line: int, message: str
) -> None:
    mistake = refusal(tmp_path, content)

    assert (mistake.line, mistake.field) == (line, "file")
    assert message in mistake.message


def test_too_many_values_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "catalog.yaml"
    file.write_text("a:\n" + "- 1\n" * 50, encoding="utf-8")

    with pytest.raises(CatalogInvalid, match=":51: file: too deep or too large"):
        read(file, nodes_max=52)

    assert len(dict(read(file, nodes_max=53).items())["a"].list()) == 50


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_what_cannot_be_opened_is_a_mistake_too(tmp_path: Path, name: str) -> None:
    with pytest.raises(CatalogInvalid, match=r":1: file: \w+"):
        read(tmp_path / name)


def test_an_empty_file_is_a_root_without_anything(tmp_path: Path) -> None:
    assert not node_of(tmp_path, "# nothing\n").given


def test_a_name_given_twice_is_a_mistake_and_the_first_counts(tmp_path: Path) -> None:
    root = node_of(tmp_path, "a: 1\nb: 2\na: 3\n")

    found = {name: child.text() for name, child in root.items()}

    assert found == {"a": "1", "b": "2"}
    assert [str(item) for item in root.notes.mistakes] == [
        f"{tmp_path}/catalog.yaml:3: a: stands at line 1 already"
    ]


def test_a_name_that_is_a_list_is_a_mistake(tmp_path: Path) -> None:
    root = node_of(tmp_path, "? [a, b]\n: 1\n")

    assert not list(root.items())
    assert root.notes.mistakes[0].message == "a name must be a single value"


def test_a_merge_is_a_name_like_any_other_and_unknown(tmp_path: Path) -> None:
    root = node_of(tmp_path, "<<: {a: 1}\n")

    root.map(frozenset({"a"}))

    assert root.notes.mistakes[0].message == "unknown; known here: a"


def test_values_of_another_shape_are_mistakes_and_defaults(tmp_path: Path) -> None:
    fields = node_of(tmp_path, "a: [1]\nb: {c: 1}\nd: 5\n").map(frozenset("abd"))

    assert fields["a"].text("x") == "x"
    assert fields["b"].list() == []
    assert list(fields["d"].items()) == []
    assert [item.message for item in fields["a"].notes.mistakes] == [
        "a single value is needed here",
        "a list is needed here",
        "a map is needed here",
    ]


def test_numbers_stay_as_they_were_written(tmp_path: Path) -> None:
    fields = node_of(tmp_path, "a: 0711\nb: 1_000\nc: 18:00\nd: 1e3\n").map(frozenset("abcd"))

    assert [fields[name].text() for name in "abcd"] == ["0711", "1_000", "18:00", "1e3"]


def test_a_place_below_is_found_with_its_line(tmp_path: Path) -> None:
    root = node_of(tmp_path, "x:\n  tiers:\n    - from: 0s\n    - price: 1\n      from: 2s\n")

    assert root.at("x.tiers[1].from").line == 5
    assert root.at("x.tiers[1].increment").line == 4
    assert root.at("x.tiers[7].from").line == 2
    assert root.at("x.tiers[1].from").place == "x.tiers[1].from"


def test_what_is_shown_has_no_control_characters_and_an_end(tmp_path: Path) -> None:
    root = node_of(tmp_path, '"a\\e[31m\\n": 1\n"' + "b" * 1000 + '": 1\n')

    root.map(frozenset({"c"}))

    fields = [item.field for item in root.notes.mistakes]
    assert fields == ["a?[31m?", "b" * SHOWN_MAX + "…"]


def test_after_so_many_mistakes_the_rest_is_not_listed() -> None:
    notes = Notes("x")

    for line in range(MISTAKES_MAX + 50):
        notes.add(line, "a", "wrong")

    assert len(notes.mistakes) == MISTAKES_MAX + 1
    assert "more mistakes follow" in notes.mistakes[-1].message
