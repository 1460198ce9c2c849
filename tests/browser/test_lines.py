"""A line in a real browser: added, topics dragged, closed by hours, heard, seen as a picture."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.site import PASSWORD, Site

pytestmark = pytest.mark.browser


async def _log_in(page: Page, login: str) -> None:
    await page.goto("/")
    await page.get_by_label("Login").fill(login)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()


async def _topic(page: Page, digit: str, name: str) -> None:
    await page.get_by_role("link", name="New topic").click()
    await page.get_by_label("Digit").select_option(digit)
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_role("radio", name="Voicemail").check()
    await page.get_by_label("Voicemail: Name of the mailbox").fill("box")
    await page.get_by_role("button", name="Add the topic").click()


async def test_an_operator_makes_a_line_and_a_client_changes_its_hours(site: Site, page: Page):
    await site.tariff()
    await site.opened("acme")
    await _log_in(page, "olga")
    await page.get_by_role("link", name="Lines", exact=True).click()
    await page.get_by_role("link", name="New line").click()
    await page.get_by_label("Number that callers dial").fill("18005550300")
    await page.get_by_label("Client").select_option("acme")
    await page.get_by_label("Name", exact=True).fill("Billing")
    await page.get_by_role("button", name="Add the line").click()
    await expect(page.get_by_role("status")).to_contain_text("The line was added")
    await _topic(page, "2", "Network")
    await _topic(page, "3", "Legal")

    # Legal is dragged to the top: it has digit 1 now.
    entries = page.locator(".topics li")
    await entries.nth(2).drag_to(entries.nth(0), target_position={"x": 20, "y": 4})
    await expect(page.get_by_role("status")).to_contain_text("new digits")
    await expect(entries.nth(0)).to_contain_text("Legal")
    # With the keyboard alone it goes down again by one.
    await page.get_by_role("button", name="Move Legal down").press("Enter")
    await expect(entries.nth(1)).to_contain_text("Legal")

    # Network is open on Mondays only; the picture says so.
    await page.get_by_role("link", name="Network").first.click()
    await page.get_by_label("Always open").uncheck()
    await page.get_by_label("Monday opens", exact=True).fill("08:00")
    await page.get_by_label("Monday closes", exact=True).fill("12:00")
    await page.get_by_role("button", name="Save the topic").click()
    await expect(page.locator("svg.tree")).to_contain_text("closed, opens Monday 08:00")

    # What the caller hears can be played, and the closed topic is not in it.
    sound = page.locator("#hear li", has_text="Menu at this moment")
    await expect(sound).to_contain_text("legal")
    await expect(sound).not_to_contain_text("network")
    length = await sound.locator("audio").evaluate(
        "async (player) => { player.load(); player.preload = 'auto';"
        " await new Promise((done, fail) => { player.oncanplay = done; player.onerror = fail; });"
        " return player.duration; }"
    )
    assert length > 2

    await page.get_by_role("button", name="Log out").click()
    await _log_in(page, "acme")
    await page.goto("/portal/lines/18005550300")
    await page.get_by_text("Change the hours").click()
    await page.locator("#hours").get_by_label("Always open").uncheck()
    await page.get_by_label("Monday opens", exact=True).fill("09:00")
    await page.get_by_label("Monday closes", exact=True).fill("17:00")
    await page.get_by_role("button", name="Save the hours").click()
    await expect(page.get_by_role("status")).to_contain_text("opening hours were saved")
    await expect(page.locator("#hours")).to_contain_text("closed, opens Monday 09:00")
