"""Words of pages in the visitor's language, and who the visitor of the running request is.

Templates write `{{ _("Top up") }}`, Python writes `_("Top up")` where the page is made, and
`mark("Top up")` in constants, which go through `_` where they are shown. All of it comes out in the
language of the running request; the API and everything outside of a request speak English, in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALES: Final = Path(__file__).parent / "locales"
LANGUAGES: Final = {"en": "English", "de": "Deutsch"}
ENGLISH: Final = "en"
UTC: Final = "UTC"
# English pages write days and hours as most of the world does: 30 Nov 2026, 14:05.
_LOCALES: Final = {"en": Locale("en", "GB"), "de": Locale("de", "DE")}
# Zones of places; the other names are old or are offsets without summer time.
_PLACE: Final = re.compile(
    r"(Africa|America|Antarctica|Asia|Atlantic|Australia|Europe|Indian|Pacific)/[\w/+-]+", re.ASCII
)
_PREFERENCES_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Whom the running request answers: the language, and the zone that clocks are read in."""

    language: str = ENGLISH
    timezone: str = UTC

    @property
    def locale(self) -> Locale:
        """Babel's rules for numbers and dates."""
        return _LOCALES[self.language]

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the clock on the visitor's wall."""
        return ZoneInfo(self.timezone)


NEUTRAL: Final = Viewer()
_viewer: Final[ContextVar[Viewer]] = ContextVar("viewer", default=NEUTRAL)


def viewer() -> Viewer:
    """Return whom the running request answers."""
    return _viewer.get()


@contextmanager
def speaking(to: Viewer) -> Iterator[None]:
    """Answer somebody until the end of the block."""
    before = _viewer.set(to)
    try:
        yield
    finally:
        _viewer.reset(before)


def adopt(language: str | None, timezone: str | None) -> None:
    """Go on in what the login chose; what it did not choose stays as it is."""
    now = viewer()
    _viewer.set(
        Viewer(
            language=language if language in LANGUAGES else now.language,
            timezone=timezone if timezone and is_zone(timezone) else now.timezone,
        )
    )


def preferred(accepted: str) -> str:
    """Choose the language by a header Accept-Language; English when it names none of ours."""
    best, weight_of_best = ENGLISH, 0.0
    for item in accepted.split(",")[:_PREFERENCES_MAX]:
        tag, _, parameter = item.strip().partition(";")
        language = tag.strip().split("-")[0].lower()
        match = re.fullmatch(r"q=([01](?:\.\d{0,3})?)", parameter.strip(), re.ASCII)
        weight = float(match[1]) if match else 0.0 if parameter.strip() else 1.0
        if language in LANGUAGES and weight > weight_of_best:
            best, weight_of_best = language, weight
    return best


def is_zone(name: str) -> bool:
    """Tell whether a name is a zone that may be chosen."""
    return name == UTC or name in zones()


@cache
def zones() -> tuple[str, ...]:
    """All zones of places, by name."""
    return tuple(sorted(name for name in available_timezones() if _PLACE.fullmatch(name)))


@cache
def zones_by_region() -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """The same as lists to choose from: per region the name and the place."""
    regions: dict[str, list[tuple[str, str]]] = {}
    for name in zones():
        region, _, place = name.partition("/")
        regions.setdefault(region, []).append((name, place.replace("_", " ")))
    return tuple((region, tuple(places)) for region, places in regions.items())


def gettext(text: str, **values: object) -> str:
    """Return a sentence in the visitor's language, with its values inserted."""
    found = catalog(viewer().language).gettext(text) if text else text
    return found % values if values else found


def ngettext(one: str, many: str, number: int, **values: object) -> str:
    """Return the form of a sentence that fits a number."""
    found = catalog(viewer().language).ngettext(one, many, number)
    return found % values if values else found


def pgettext(context: str, text: str, **values: object) -> str:
    """Return a word whose meaning needs a context, in the visitor's language."""
    found = catalog(viewer().language).pgettext(context, text)
    return found % values if values else found


def mark(text: str) -> str:
    """Mark a constant for the catalog; it is translated where it is shown."""
    return text


@cache
def catalog(language: str) -> NullTranslations:
    """Read the sentences of a language: once, at the start, from the text that is kept in git."""
    if language == ENGLISH:
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, _read(language))
    compiled.seek(0)
    return GNUTranslations(compiled)


@cache
def known(language: str, context: str | None) -> tuple[tuple[str, str], ...]:
    """All translated sentences of one context; those without a plural."""
    return tuple(
        (str(message.id), str(message.string))
        for message in _read(language)
        if message.context == context and message.string and isinstance(message.id, str)
    )


@cache
def _read(language: str) -> Catalog:
    with (LOCALES / language / "LC_MESSAGES" / "messages.po").open("rb") as source:
        return read_po(source, locale=language)
