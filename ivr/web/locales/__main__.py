"""Brings the catalogs up to date with the sources: `python -m ivr.web.locales`.

What is translated stays, what is new comes in untranslated, what is gone leaves;
nothing is guessed.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

from ivr.web.language import ENGLISH, LANGUAGES, LOCALES
from ivr.web.locales.sources import read_sources

WIDTH = 100


def update(file: Path, language: str, sources: Catalog) -> int:
    """Write one catalog anew and return how many of its sentences are not translated."""
    if file.is_file():
        with file.open("rb") as old:
            catalog = read_po(old, locale=language)
    else:
        catalog = Catalog(locale=language, fuzzy=False)
    header, created = catalog.header_comment, catalog.creation_date
    catalog.update(sources, no_fuzzy_matching=True)
    catalog.header_comment, catalog.creation_date = header, created
    written = BytesIO()
    write_po(
        written, catalog, width=WIDTH, sort_by_file=True, ignore_obsolete=True, include_lineno=False
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(written.getvalue())
    return sum(message.id != "" and not _translated(message) for message in catalog)


def _translated(message: Message) -> bool:
    said = message.string
    return bool(said) if isinstance(said, str) else bool(said) and all(said or ())


def main() -> int:
    """Update all languages; 1 when something is still to be translated."""
    sources, missing = read_sources(), 0
    for language in LANGUAGES:
        if language != ENGLISH:
            file = LOCALES / language / "LC_MESSAGES" / "messages.po"
            missing += update(file, language, sources)
    sys.stdout.write(f"{len(sources)} sentences, {missing} not translated\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
