"""The style sheet keeps its promise: text can be read, in light and in dark (WCAG 2.2 AA)."""

from __future__ import annotations

import re

import pytest

from ivr.web.templating import FOLDER

CSS = (FOLDER / "static" / "style.css").read_text(encoding="utf-8")
TEXT = 4.5
SHAPES = 3.0
PAIRS = [
    ("text", "ground", TEXT), ("text", "surface", TEXT), ("text", "raised", TEXT),
    ("muted", "ground", TEXT), ("muted", "surface", TEXT), ("muted", "raised", TEXT),
    ("muted", "calm-ground", TEXT), ("accent", "surface", TEXT), ("accent", "ground", TEXT),
    ("accent", "raised", TEXT), ("accent-hover", "surface", TEXT), ("on-accent", "accent", TEXT),
    ("on-accent", "accent-hover", TEXT), ("good", "surface", TEXT), ("good", "good-ground", TEXT),
    ("bad", "surface", TEXT), ("bad", "bad-ground", TEXT), ("warn", "warn-ground", TEXT),
    ("line-strong", "surface", SHAPES), ("client", "surface", SHAPES),
]  # fmt: skip


def _colours(scheme: str) -> dict[str, str]:
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{([^}]*)\}", CSS)
    )
    return light | dark if scheme == "dark" else light


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back", "ratio"), PAIRS)
def test_colours_stand_out(scheme: str, front: str, back: str, ratio: float):
    colours = _colours(scheme)
    bright, dim = sorted((_luminance(colours[front]), _luminance(colours[back])), reverse=True)

    assert (bright + 0.05) / (dim + 0.05) >= ratio


def test_both_schemes_name_the_same_colours():
    light = set(_colours("light"))
    night = set(re.findall(r"--([a-z-]+): #[0-9a-f]{6}", re.findall(r":root \{([^}]*)\}", CSS)[1]))

    assert night == light


def test_nothing_comes_from_outside():
    assert not re.search(r"url\(|@import|https?:", CSS)
