"""A visitor reads the language of the login, else of the link it followed, else of the browser."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestServer

from ivr.web.language import LANGUAGES
from tests.site import Site, browser, csrf_of, text_of

ZONE = "Europe/Berlin"


async def test_the_browser_is_believed_until_a_link_is_followed(server: TestServer):
    async with browser(server) as client:
        first = await client.get("/", headers={"Accept-Language": "de-DE,de;q=0.9"})
        await client.get("/language/en?next=/")
        second = await client.get("/", headers={"Accept-Language": "de-DE,de;q=0.9"})

        assert first.headers["Content-Language"] == "de"
        assert '<html lang="de">' in await first.text()
        assert '<html lang="en">' in await second.text()


@pytest.mark.parametrize("away", ["//evil.example", "https://evil.example", "/\\evil.example", "x"])
async def test_a_link_of_language_leads_nowhere_else(server: TestServer, away: str):
    async with browser(server) as client:
        answer = await client.get("/language/de", params={"next": away}, allow_redirects=False)

    assert answer.headers["Location"] == "/"


async def test_there_is_no_page_in_a_language_we_do_not_speak(server: TestServer):
    async with browser(server) as client:
        answer = await client.get("/language/xx", allow_redirects=False)

    assert answer.status == 404
    assert "Set-Cookie" not in answer.headers


async def test_a_login_keeps_its_language_and_time_zone(site: Site, server: TestServer):
    async with browser(server, "alice") as client:
        csrf = csrf_of(await (await client.get("/settings")).text())
        sent = await client.post(
            "/settings/language",
            data={"csrf": csrf, "language": "de", "timezone": ZONE},
            allow_redirects=False,
        )
        page = await (await client.get("/account", headers={"Accept-Language": "en"})).text()

    assert sent.status == 303
    assert '<html lang="de">' in page
    assert ZONE in text_of(page)
    async with browser(server, "alice") as other:
        assert '<html lang="de">' in await (await other.get("/account")).text()


async def test_the_switch_in_the_footer_changes_the_language_alone_and_leads_back(
    server: TestServer,
):
    async with browser(server, "olga") as client:
        csrf = csrf_of(await (await client.get("/settings")).text())
        await client.post("/settings/language", data={"csrf": csrf, "timezone": ZONE})
        answer = await client.post(
            "/settings/language",
            data={"csrf": csrf, "language": "de", "next": "/admin/calls?outcome=talked"},
            allow_redirects=False,
        )
        settings = await (await client.get("/settings")).text()

    assert answer.headers["Location"] == "/admin/calls?outcome=talked"
    assert f'value="{ZONE}" selected' in settings
    assert 'value="de" selected' in settings


@pytest.mark.parametrize(
    "form", [{"language": "xx"}, {"timezone": "Mars/Olympus"}, {"timezone": "../etc/passwd"}]
)
async def test_nothing_else_can_be_chosen(server: TestServer, form: dict[str, str]):
    async with browser(server, "alice") as client:
        csrf = csrf_of(await (await client.get("/settings")).text())
        answer = await client.post("/settings/language", data={"csrf": csrf, **form})

        assert answer.status == 422
        assert "Choose one of the list." in await answer.text()


async def test_the_api_speaks_english_with_everybody(site: Site, server: TestServer):
    async with browser(server) as client:
        for language in LANGUAGES:
            answer = await client.get("/api/v1/calls", headers={"Accept-Language": language})
            assert (await answer.json())["title"] == "Who are you?"
