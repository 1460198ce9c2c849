"""Texts and how they become sounds; what must be there is in tests/test_asterisk_conf.py."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ivr.sandbox.prompts import PromptsFailed, make, texts

BYTES_PER_SECOND = 8000


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("hello\n", 1),
        ("# note\n\nhello|\n", 3),
        ("a|one\na|two\n", 2),
        ("a|" + "x" * 600, 1),
        ("../a|out\n", 1),
        ("A b|capital\n", 1),
    ],
    ids=["no bar", "no text", "twice", "too long", "a path", "an odd name"],
)
def test_a_mistake_in_the_texts_is_named_with_its_line(
    tmp_path: Path, text: str, line: int
) -> None:
    file = tmp_path / "en.txt"
    file.write_text(text)

    with pytest.raises(PromptsFailed, match=rf"en\.txt:{line}: "):
        texts(file)


@pytest.mark.skipif(
    not (shutil.which("sox") and (shutil.which("flite") or shutil.which("espeak-ng"))),
    reason="needs sox and flite or espeak-ng (Debian packages of these names)",
)
def test_a_text_becomes_a_sound_and_a_forgotten_sound_goes(tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("hello|Hello.\nbeep|beep\n")
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "old.ulaw").write_bytes(b"\xff")

    made = make("en", tmp_path)

    sizes = {file.name: file.stat().st_size for file in (tmp_path / "en").iterdir()}
    assert made == 2
    assert sizes.keys() == {"hello.ulaw", "beep.ulaw"}
    assert sizes["beep.ulaw"] == BYTES_PER_SECOND / 5
    assert sizes["hello.ulaw"] > BYTES_PER_SECOND / 5


def test_without_the_tools_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PromptsFailed, match="apt-get install sox flite"):
        make("en", tmp_path)
