"""A real browser (Debian's Chromium) on a served site; what it complains about fails the test."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from billing.storage.engine import create
from ivr.web.app import serving
from tests.migrated import sqlite_url
from tests.site import Site, open_site

FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WAIT_MILLISECONDS: Final = 15_000
expect.set_options(timeout=WAIT_MILLISECONDS)
NAMES: Final = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    engine = create(sqlite_url(tmp_path))
    async with open_site(engine, tmp_path) as site:
        yield site
    await engine.dispose()


@pytest.fixture
async def address(site: Site) -> AsyncIterator[str]:
    async with serving(site.deps, host="127.0.0.1", port=0) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on this machine (Debian package: chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        await browser.close()


@pytest.fixture
async def page(chromium: Browser, address: str) -> AsyncIterator[Page]:
    complaints: list[str] = []
    context = await chromium.new_context(base_url=address)
    context.set_default_timeout(WAIT_MILLISECONDS)
    page = await context.new_page()

    def listen(message: ConsoleMessage) -> None:
        # That an answer was 401 or 404 is the server's word, which tests look at themselves.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await context.close()
    # A page that is left while it asks for news says twice that the question was given up.
    for _ in range(sum(text.startswith("htmx:sendAbort") for text in complaints)):
        for name in ("htmx:sendAbort", "htmx:afterRequest"):
            complaints.remove(next(text for text in complaints if text.startswith(name)))
    assert not complaints
