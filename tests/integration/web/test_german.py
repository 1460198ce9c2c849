"""Every sentence of the pages is in the German catalog, translated, with the same values."""

from __future__ import annotations

import re

import pytest
from aiohttp.test_utils import TestServer
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from ivr.web.language import LOCALES, Viewer, speaking
from ivr.web.locales.sources import ROOT, read_sources
from ivr.web.reasons import reason_of
from ivr.web.templating import Templates
from tests.site import Site, browser, text_of

PLACE = re.compile(r"%\(\w+\)s|%%|\{[^}]*\}|&nbsp;|</?\w[^>]*>")
GERMAN = Viewer(language="de")


@pytest.fixture(scope="module")
def sources() -> Catalog:
    return read_sources()


@pytest.fixture(scope="module")
def german() -> Catalog:
    with (LOCALES / "de" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale="de")


def _texts(text: str | tuple[str, ...] | list[str] | None) -> list[str]:
    return [text or ""] if isinstance(text, str | None) else list(text)


def _messages(catalog: Catalog) -> list[Message]:
    return [message for message in catalog if message.id]


def test_every_sentence_is_translated(sources: Catalog, german: Catalog):
    missing = [
        (message.context, message.id, [place for place, _ in message.locations])
        for message in _messages(sources)
        for said in [german.get(message.id, message.context)]
        if said is None or said.fuzzy or not all(_texts(said.string))
    ]

    assert not missing, "run `python -m ivr.web.locales`, then translate what is empty"


def test_translations_hold_the_same_values(german: Catalog):
    wrong = [
        (message.id, said)
        for message in _messages(german)
        for said in _texts(message.string)
        if said
        and sorted(set(PLACE.findall(said))) != sorted(set(PLACE.findall(_texts(message.id)[-1])))
    ]

    assert not wrong


def test_no_template_has_words_of_its_own():
    """What stands between tags or in an attribute that is read out goes through the catalog."""
    own = []
    for file in sorted((ROOT / "ivr/web/templates").rglob("*.html")):
        text = re.sub(r"\{%-? *trans.*?endtrans *-?%\}", "", file.read_text(), flags=re.DOTALL)
        text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "\x01", text, flags=re.DOTALL)
        read = re.findall(r'\b(?:aria-label|title|placeholder|alt)="([^"]*)"', text)
        tags = r'<code\b.*?</code>|<option value="\w+">\w+</option>|<[^>]*>'
        read += re.split(tags, text, flags=re.DOTALL)
        own += [
            (file.name, words.strip())
            for words in read
            if re.search(r"[A-Za-z]{4}", words.replace("Talkmeter", "").replace("&nbsp;", ""))
            and not re.search(r"[=_]|^\s*[a-z.-]+\d", words)
            and not words.strip().startswith("/")
        ]

    assert not own


def test_reasons_are_said_with_their_facts():
    with speaking(GERMAN):
        said = reason_of("plan gold has no add-on 'silver'")

    assert said == "das Paket gold hat keinen Zusatz 'silver'"


def test_the_catalog_is_read_before_the_first_visitor_comes():
    Templates()
    with speaking(GERMAN):
        assert reason_of("Please fill this in.") == "Bitte füllen Sie dieses Feld aus."


async def test_a_german_page_is_german(site: Site, server: TestServer):
    await site.call(talk_seconds=1290.4)
    async with browser(server, "alice") as client:
        await client.get("/language/de")
        page = text_of(await (await client.get("/account")).text())
        wrong = await (await client.get("/account/calls?first=2026-13-01")).text()

    assert "Mein Konto" in page
    assert "Kontostand" in page
    assert re.search(r"\d+,\d\d\d* USD", page)
    assert (
        "Bitte" in wrong or "schreiben Sie einen Tag" in wrong.lower() or "Schreiben Sie" in wrong
    )
