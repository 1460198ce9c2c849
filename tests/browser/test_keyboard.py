"""An operator's way from the login to a booked top-up, with the keyboard alone."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, Page, expect

from billing.money import parse_amount
from tests.site import PASSWORD, Site

pytestmark = pytest.mark.browser

STEPS_MAX = 80
FOCUSED = """() => {
  const here = document.activeElement;
  const label = here.labels && here.labels.length ? here.labels[0].innerText : "";
  return (here.getAttribute("aria-label") || label || here.innerText || here.value || "").trim();
}"""
OUTLINE = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
}"""


async def _tab_to(page: Page, name: str) -> None:
    for _step in range(STEPS_MAX):
        await page.keyboard.press("Tab")
        if await page.evaluate(FOCUSED) == name:
            return
    pytest.fail(f"the tab key does not come to {name!r}")


async def test_money_is_added_without_a_mouse(site: Site, chromium: Browser, address: str):
    context = await chromium.new_context(base_url=address)
    page = await context.new_page()
    await page.goto("/")
    await _tab_to(page, "Login")
    await page.keyboard.type("olga")
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{address}/admin")

    await page.keyboard.press("Tab")
    assert await page.evaluate(FOCUSED) == "Skip to the content"
    await expect(page.locator(".skip")).to_be_in_viewport()
    await _tab_to(page, "Accounts")
    assert await page.evaluate(OUTLINE)
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{address}/admin/accounts")
    await _tab_to(page, "Name, number or phone")
    await page.keyboard.type("ali")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"\?q=ali"))
    await _tab_to(page, "alice")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("alice")
    await _tab_to(page, "10")
    await page.keyboard.press("ArrowRight")
    await _tab_to(page, "Reason")
    await page.keyboard.type("Cash at the desk")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("status")).to_contain_text("20.00 USD were added")
    assert await site.desk.spendable("alice") == parse_amount("120")
    await context.close()
