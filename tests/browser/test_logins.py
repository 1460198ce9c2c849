"""An operator lets somebody in: rights, a password shown once, and what that login sees then."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.site import PASSWORD, Site

pytestmark = pytest.mark.browser
OWN = "vivid lantern quarrel 7"


async def _log_in(page: Page, login: str, password: str) -> None:
    await page.goto("/")
    await page.get_by_label("Login").fill(login)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Log in").first.click()


async def _spare(page: Page) -> int:
    width: int = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return width


async def test_somebody_new_comes_in_and_sees_what_its_rights_are_for(
    site: Site, chromium: Browser, address: str
):
    wide: list[int] = []
    operator = await chromium.new_context(base_url=address, java_script_enabled=False)
    page = await operator.new_page()
    await _log_in(page, "olga", PASSWORD)
    await page.goto("/admin/new-user")
    await page.get_by_label("Login").fill("frieda")
    await page.get_by_label("Rights").select_option("operator:finance")
    await page.get_by_role("button", name="Add the login").click()
    password = await page.locator("#secret").inner_text()

    visitor = await chromium.new_context(base_url=address, java_script_enabled=False)
    mine = await visitor.new_page()
    await mine.set_viewport_size({"width": 360, "height": 800})
    await _log_in(mine, "frieda", password)
    await expect(mine).to_have_url(f"{address}/settings/first")
    wide.append(await _spare(mine))
    await mine.get_by_label("New password", exact=True).fill(OWN)
    await mine.get_by_label("New password again").fill(OWN)
    await mine.get_by_role("button", name="Go on").click()
    await expect(mine).to_have_url(f"{address}/admin")
    await expect(mine.get_by_role("link", name="API keys")).to_have_count(0)
    await mine.goto("/admin/accounts/alice")
    await expect(mine.locator('form[action$="/topups"]')).to_have_count(1)
    await expect(mine.locator('form[action$="/status"]')).to_have_count(0)

    await page.goto("/admin/users/frieda")
    await page.get_by_role("checkbox", name="Money").uncheck()
    await page.get_by_role("button", name="Change the rights").click()
    await mine.goto("/admin/accounts/alice")
    await expect(mine.locator('form[action$="/topups"]')).to_have_count(0)
    await page.get_by_role("button", name="Disable").click()
    await mine.goto("/admin/accounts/alice")
    await expect(mine.get_by_role("heading", name="Log in")).to_be_visible()

    await page.set_viewport_size({"width": 360, "height": 800})
    for path in ("users", "users/frieda", "new-user", "keys", "audit", "settings"):
        await page.goto(f"/admin/{path}")
        wide.append(await _spare(page))
    assert max(wide) == 0
    await operator.close()
    await visitor.close()
