"""What a person does with the mouse and the keyboard, in a real browser under the strict policy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.async_api import Browser, Page, expect

from billing.money import parse_amount
from tests.site import PASSWORD, Site

pytestmark = pytest.mark.browser


async def _log_in(page: Page, login: str) -> None:
    await page.goto("/")
    await page.get_by_label("Login").fill(login)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()


async def test_an_operator_logs_in_tops_up_and_sees_balance_and_call(site: Site, page: Page):
    call_id = await site.call(talk_seconds=62.4)

    await _log_in(page, "olga")
    await page.get_by_role("link", name="Accounts").click()
    await page.get_by_label("Name, number or phone").fill("ali")
    await page.get_by_role("button", name="Find").click()
    await page.get_by_role("link", name="alice").click()
    await expect(page.locator("#balance")).to_have_text("94.475 USD")
    await page.get_by_role("radio", name="20").check()
    await page.get_by_label("Reason").fill("Cash at the desk")
    await page.get_by_role("button", name="Top up").click()

    await expect(page.get_by_role("status")).to_contain_text("20.00 USD were added")
    await expect(page.locator("#balance")).to_have_text("114.475 USD")
    await page.locator(f'a.row-link[href$="{call_id}"]').click()
    await expect(page.locator("#cost")).to_have_text("5.525 USD")
    await expect(page.get_by_role("row", name="Setup fee")).to_contain_text("5.00 USD")
    await expect(page.get_by_role("row", name="Together")).to_contain_text("5.525 USD")
    assert await site.desk.spendable("alice") == parse_amount("114.475")


async def test_a_live_call_ticks_without_reloading_and_its_end_brings_its_cost(
    site: Site, page: Page
):
    call_id = site.ring()
    await _log_in(page, "olga")
    live = page.locator("#live")
    await expect(live).to_contain_text("5.55 USD")
    await page.evaluate("window.sameDocument = true")

    site.live.calls[0] = replace(site.live.calls[0], talk_seconds=71.0, cost=5_600_000)
    await expect(live).to_contain_text("1:11")
    await expect(live).to_contain_text("5.60 USD")
    ended = await site.call(talk_seconds=72.5)
    site.live.calls.clear()

    await expect(live).to_contain_text("Nobody is on the line.")
    await expect(page.locator(f'a[href$="{ended}"]')).to_be_visible()
    assert await page.evaluate("window.sameDocument") is True
    assert call_id not in await page.content()


async def test_an_operator_ends_a_live_call_with_the_keyboard_alone(site: Site, page: Page):
    call_id = site.ring()
    await _log_in(page, "olga")
    button = page.get_by_role("button", name="Hang up the call of alice")
    await button.focus()
    # The list is written anew each second; the focus must stay where it was.
    await expect(page.locator("#live")).to_contain_text("5.55")
    site.live.calls[0] = replace(site.live.calls[0], talk_seconds=99.0)
    await expect(page.locator("#live")).to_contain_text("1:39")
    await expect(button).to_be_focused()

    await page.keyboard.press("Enter")

    await expect(page.locator("#live")).to_contain_text("Nobody is on the line.")
    assert site.live.hung_up == [call_id]


async def test_a_visitor_whose_session_ended_is_led_to_the_login(site: Site, page: Page):
    await _log_in(page, "olga")
    await expect(page.locator("#live")).to_be_visible()

    site.desk.clock.advance(86_400)

    await expect(page.get_by_role("button", name="Log in")).to_be_visible()


async def test_everything_works_without_scripts(site: Site, chromium: Browser, address: str):
    context = await chromium.new_context(base_url=address, java_script_enabled=False)
    page = await context.new_page()
    await site.call(talk_seconds=62.4)
    site.ring()

    await _log_in(page, "olga")
    await expect(page.locator("#live")).to_contain_text("5.55 USD")
    await page.goto("/admin/accounts/alice")
    await page.get_by_label("Another amount").fill("12,50")
    await page.get_by_label("Reason").fill("Cash")
    await page.get_by_role("button", name="Top up").click()
    await expect(page.locator("#d-amount")).to_contain_text("Write an amount such as 12.50")
    await page.get_by_label("Another amount").fill("12.50")
    await page.get_by_role("button", name="Top up").click()

    await expect(page.get_by_role("status")).to_contain_text("12.50 USD were added")
    await context.close()


@pytest.mark.parametrize("width", [360, 768, 1280])
async def test_no_page_is_wider_than_the_screen(site: Site, page: Page, width: int):
    call_id = await site.call(talk_seconds=1290.4)
    site.ring()
    await page.set_viewport_size({"width": width, "height": 800})
    await _log_in(page, "olga")
    await expect(page.locator("#live")).to_be_visible()

    too_wide = []
    for path in (
        "/admin", "/admin/calls", f"/admin/calls/{call_id}", "/admin/accounts",
        "/admin/accounts/alice", "/admin/new-account", "/admin/report", "/admin/nowhere",
        "/admin/reports?by=topic", "/admin/tariffs", "/admin/clients", "/admin/plans",
        "/admin/vouchers", "/admin/invoices", "/admin/payouts",
    ):  # fmt: skip
        await page.goto(path)
        spare = await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if spare > 0:
            too_wide.append((path, spare))

    assert not too_wide


async def test_the_simulator_follows_the_minutes_without_a_click(site: Site, page: Page):
    await site.call(talk_seconds=60)
    await _log_in(page, "olga")
    await page.goto("/admin/tariffs")
    await page.get_by_label("Minutes, 0 to 60").fill("12")

    await expect(page.locator("#simulated")).to_contain_text("12 min cost 11.00")


async def test_a_client_downloads_the_report_it_sees(site: Site, page: Page):
    await site.call(talk_seconds=62.4)
    await _log_in(page, "acme")
    await expect(page.get_by_role("img", name="Revenue split in USD")).to_be_visible()

    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="Download CSV").click()
    path = await (await waiting.value).path()

    assert "acme,18005550100,Billing,USD,1,63,5.525,3.8675,1.6575" in path.read_text()
