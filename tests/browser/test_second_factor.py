"""A second factor without scripts: set up, switched on, asked for, on a narrow screen too."""

from __future__ import annotations

import base64

import pytest
from playwright.async_api import Browser, Page, expect

from ivr.web.factor import totp
from tests.site import PASSWORD, Site

pytestmark = pytest.mark.browser


async def _log_in(page: Page) -> None:
    await page.goto("/")
    await page.get_by_label("Login").fill("alice")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()


async def _spare(page: Page) -> int:
    width: int = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return width


async def test_a_second_factor_is_set_up_and_asked_for_without_scripts(
    site: Site, chromium: Browser, address: str
):
    context = await chromium.new_context(base_url=address, java_script_enabled=False)
    page = await context.new_page()
    await page.set_viewport_size({"width": 360, "height": 800})
    await _log_in(page)
    await page.get_by_role("link", name="alice", exact=True).click()
    wide = [await _spare(page)]
    factor = page.get_by_role("region", name="Second factor")
    await factor.get_by_label("Password").fill(PASSWORD)
    await factor.get_by_role("button", name="Set up").click()
    wide.append(await _spare(page))
    secret = base64.b32decode((await page.locator("#secret").inner_text()).replace(" ", ""))
    await page.get_by_label("Code of the app").fill(
        totp.code_at(secret, totp.step_of(site.now_us()))
    )
    await page.get_by_role("button", name="Switch on").click()
    await expect(page.locator("#recovery-codes li")).to_have_count(10)
    wide.append(await _spare(page))
    await page.get_by_role("button", name="Log out").click()
    site.desk.clock.advance(totp.STEP_SECONDS)
    await _log_in(page)
    wide.append(await _spare(page))
    await page.get_by_label("Code for alice").fill(
        totp.code_at(secret, totp.step_of(site.now_us()))
    )
    await page.get_by_role("button", name="Log in").click()

    await expect(page).to_have_url(f"{address}/account")
    assert max(wide) == 0
    await context.close()
