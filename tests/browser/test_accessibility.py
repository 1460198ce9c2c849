"""Every page, as every role, on a desk in English and on a phone in German, by day and by night.

axe finds nothing serious, nothing scrolls sideways, each page has a language, a title and one main
heading. The walk leaves its pictures in build/screens for people to look at; pages that are new
are walked because they are in PAGES.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, BrowserContext, Page

from ivr.web.app import PAGES
from ivr.web.scope import Role
from tests.integration.web.test_tenants import VISITORS, Foreign, fill_site
from tests.site import PASSWORD, Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

Scheme = Literal["light", "dark"]
SCREENS: Final = Path(__file__).parents[2] / "build" / "screens"
WALKERS: Final = ("", "olga", "acme", "topco", "rolf", "alice")
PUBLIC: Final = ("/", "/login/pin", "/signup", "/api", "/nowhere")
SIZES: Final = {"desk": (1280, 800, "en"), "phone": (390, 844, "de")}
SERIOUS: Final = ("serious", "critical")
TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CHECKS: Final[dict[Scheme, dict[str, Any]]] = {
    "light": {
        "runOnly": TAGS,
        "rules": {"target-size": {"enabled": True}},
        "resultTypes": ["violations"],
    },
    # Night changes nothing but colours.
    "dark": {
        "runOnly": {"type": "rule", "values": ["color-contrast"]},
        "resultTypes": ["violations"],
    },
}
# The width changes no colour.
CHECKED: Final = {"desk": ("light", "dark"), "phone": ("light",)}
LOOK: Final = """() => ({
  spare: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  headings: document.querySelectorAll("h1").length,
  language: document.documentElement.lang,
  title: document.title,
})"""


async def _paths(context: BrowserContext, walker: str, things: Foreign) -> list[str]:
    """All addresses of pages that the walker may look at; files and parts of pages are none."""
    wanted = [
        things.fill(page.path)
        for page in PAGES
        if page.method == "GET" and walker and VISITORS[walker][0] in page.roles
    ]
    found = []
    for path in dict.fromkeys(wanted or PUBLIC):
        if re.search(r"\.(csv|pdf|xlsx)$|/sound/|/events$", path):
            continue
        answer = await context.request.get(path)
        is_page = answer.headers.get("content-type", "").startswith("text/html")
        same = re.sub(r"^https?://[^/]+|\?.*$", "", answer.url) == path
        if is_page and same and "<html" in await answer.text():
            found.append(path)
    return found


async def _log_in(page: Page, walker: str, language: str) -> None:
    await page.goto(f"/language/{language}")
    if walker:
        await page.locator("#login").fill(walker)
        await page.locator("#password").fill(PASSWORD)
        await page.locator("form[action='/login'] button[type=submit]").click()
        await page.wait_for_url(re.compile(r"/(admin|portal|account)"))


async def _faults(page: Page, path: str, scheme: Scheme) -> list[str]:
    found = await page.evaluate(f"axe.run(document, {json.dumps(CHECKS[scheme])})")
    return [
        f"{path} {scheme}: {each['id']} {node['target']} {[why['message'] for why in node['any']]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"][:3]
    ]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("walker", WALKERS)
async def test_everybody_can_use_every_page(
    site: Site, chromium: Browser, address: str, walker: str, size: str
):
    things = await fill_site(site)
    width, height, language = SIZES[size]
    context = await chromium.new_context(
        base_url=address, viewport={"width": width, "height": height}, bypass_csp=True
    )
    context.set_default_timeout(30_000)
    await context.add_init_script(AXE_SCRIPT)
    page, faults = await context.new_page(), []
    await _log_in(page, walker, language)
    paths = await _paths(context, walker, things)
    role = VISITORS[walker][0].value if walker else "nobody"
    for path in paths:
        await page.goto(path)
        for scheme in CHECKS:
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            if scheme in CHECKED[size]:
                faults += await _faults(page, path, scheme)
            file = (
                SCREENS
                / f"{role}-{size}-{scheme}"
                / f"{path.strip('/').replace('/', '.') or 'front'}.png"
            )
            await page.screenshot(path=file, full_page=True)
        seen = await page.evaluate(LOOK)
        if seen["spare"] > 0 or seen["headings"] != 1 or seen["language"] != language:
            faults.append(f"{path}: {seen}")
        if "Talkmeter" not in seen["title"]:
            faults.append(f"{path}: titled {seen['title']!r}")
    await context.close()

    assert paths
    assert not faults


def test_the_walk_covers_every_role():
    assert {VISITORS[walker][0] for walker in WALKERS if walker} == set(Role)
