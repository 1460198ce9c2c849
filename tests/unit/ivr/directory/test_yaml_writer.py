from __future__ import annotations

import pytest
import yaml

from ivr.directory.yaml_writer import write_yaml

DOCUMENTS = (
    {"title": "Café 😀", "long": "word " * 40, "code": "0123", "day": "2026-01-01"},
    {"text": "two\nlines", "mark": "a: b #c", "list": ["", None, 1.5, True, [], {}]},
    {"quotes": "'single' \"double\"", "escape": "\\U0001F600", "arabic": "مرحبا"},
)


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("width", [80, 100])
def test_what_is_written_fast_is_what_is_written_slowly(document: object, width: int) -> None:
    slow = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=width)

    assert write_yaml(document, width=width) == slow
    assert yaml.safe_load(slow) == document


def test_letters_are_written_as_they_are() -> None:
    assert write_yaml({"title": "Ünsinn 😀"}) == "title: Ünsinn 😀\n"
