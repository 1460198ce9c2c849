"""What is wrong with a catalog file: every mistake with file, line and field, all at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

MISTAKES_MAX: Final = 200
SHOWN_MAX: Final = 200


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
        self.mistakes = sorted(mistakes, key=lambda mistake: (mistake.line, mistake.field))
        super().__init__("\n".join(map(str, self.mistakes)))


@dataclass(slots=True)
class Notes:
    """Collects mistakes of one file."""

    file: str
    mistakes: list[Mistake] = field(default_factory=list)

    def add(self, line: int, place: str, message: str) -> None:
        """Note one mistake; after a few hundred nobody reads on."""
        if len(self.mistakes) > MISTAKES_MAX:
            return
        if len(self.mistakes) == MISTAKES_MAX:
            place, message = "", "more mistakes follow; they are not listed"
        self.mistakes.append(
            Mistake(file=self.file, line=line, field=shown(place) or "file", message=shown(message))
        )

    def has(self, place: str) -> bool:
        """Tell whether something is noted at this very place."""
        return any(mistake.field == place for mistake in self.mistakes)


def shown(text: str) -> str:
    """Make a text of the file fit for a terminal: one line, no control characters, not endless."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text[: SHOWN_MAX + 1])
    return clean if len(clean) <= SHOWN_MAX else f"{clean[:SHOWN_MAX]}…"
