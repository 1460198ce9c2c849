"""Reasons of errors in the visitor's language.

The billing library says in English why it refuses, and has long put the facts into the sentence
when it comes here. The catalog knows those sentences as templates; one that fits is said in the
visitor's words, with the same facts.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from billing.errors import BillingError
from ivr.web.language import ENGLISH, catalog, gettext, known, viewer

REASON: Final = "reason"
_HOLE: Final = re.compile(r"\{(\d+)\}", re.ASCII)


def sentence_of(error: BillingError) -> str:
    """Say what went wrong, as a sentence."""
    facts = dict(error.facts)
    if isinstance(facts.get("reason"), str):
        facts["reason"] = reason_of(str(facts["reason"]))
    return whole(gettext(error.sentence).format_map(facts))


def reason_of(text: str) -> str:
    """Say a reason in the visitor's language; one that the catalog does not know stays as it is."""
    if viewer().language == ENGLISH or not text:
        return text
    plain = catalog(viewer().language).pgettext(REASON, text)
    if plain != text:
        return plain
    if (plain := gettext(text)) != text:
        return plain
    for pattern, template in _patterns(viewer().language):
        if match := pattern.fullmatch(text):
            return _HOLE.sub(lambda hole: match[int(hole[1])], template)
    return _inside(text)


def english_of(said: str) -> tuple[str, ...]:
    """Find the English of all sentences in which a visitor reads these words; none in English."""
    language, words = viewer().language, said.casefold()
    if language == ENGLISH:
        return ()
    sentences = (*known(language, REASON), *known(language, None))
    return tuple(english for english, own in sentences if words in own.casefold())


def _inside(text: str) -> str:
    """Say the reason that somebody has made a whole sentence of already."""
    reason = f"{text[:1].lower()}{text[1:-1]}"
    if not text.endswith(".") or reason == text or reason.endswith("."):
        return text
    said = reason_of(reason)
    return text if said == reason else whole(said)


def whole(text: str) -> str:
    """Write it as a sentence: a capital letter first, a full stop last."""
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."


@cache
def _patterns(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Compile the templates, the longest first: it is the one that says most."""
    templates = sorted(known(language, REASON), key=lambda pair: -len(pair[0]))
    return tuple((_pattern(text), said) for text, said in templates if _HOLE.search(text))


def _pattern(text: str) -> re.Pattern[str]:
    parts = _HOLE.split(text)
    return re.compile(
        "".join("(.+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts)),
        re.DOTALL,
    )
