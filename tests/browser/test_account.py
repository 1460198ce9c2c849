"""What a caller does in a real browser: sign up, top up, come back by PIN, take the receipt."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from billing.money import parse_amount
from billing.vouchers import Vouchers
from tests.doubles.paper_stripe import message, signature
from tests.site import PASSWORD, Site

pytestmark = pytest.mark.browser
NEW_PIN = "825163"


async def _voucher(site: Site) -> str:
    vouchers = Vouchers(
        engine=site.desk.engine, clock=site.desk.clock, secret=site.deps.voucher_key
    )
    made = await vouchers.generate(amount=parse_amount("25"), currency="USD", count=1, actor="test")
    return made.codes[0]


async def test_a_stranger_signs_up_tops_up_and_comes_back_with_number_and_pin(
    site: Site, page: Page
):
    code = await _voucher(site)
    await page.goto("/")
    await page.get_by_role("link", name="Sign up").click()
    await page.get_by_label("E-mail").fill("ann@example.org")
    await page.get_by_label("Password", exact=True).fill("many green kettles")
    await page.get_by_label("Password again").fill("many green kettles")
    await page.get_by_role("button", name="Open the account").click()
    number = await page.locator("#number").inner_text()
    pin = await page.locator("#pin").inner_text()
    await page.get_by_role("main").get_by_role("link", name="Top up").click()
    await page.get_by_label("Code").fill(code)
    await page.get_by_role("button", name="Redeem").click()
    await expect(page.get_by_role("status")).to_contain_text("25.00 USD were added")
    await page.get_by_role("button", name="Log out").click()

    await page.get_by_role("link", name="Log in with your phone or account number").click()
    await page.get_by_label("Phone or account number").fill(number)
    await page.get_by_label("PIN", exact=True).fill(pin)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.locator("#balance")).to_have_text("25.00 USD")
    await page.get_by_role("link", name="Phones and PIN").first.click()
    await page.get_by_label("Your PIN now").fill(pin)
    await page.get_by_label("New PIN", exact=True).fill(NEW_PIN)
    await page.get_by_label("New PIN again").fill(NEW_PIN)
    await page.get_by_role("button", name="Change the PIN").click()
    await expect(page.get_by_role("status")).to_contain_text("Your PIN is changed")
    await page.get_by_role("link", name="Statements").click()
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="Receipt (PDF)").click()
    path = await (await waiting.value).path()

    assert (await asyncio.to_thread(path.read_bytes)).startswith(b"%PDF")


async def test_a_card_payment_ends_on_the_page_that_waits_for_it(
    site: Site, page: Page, address: str
):
    await page.goto("/")
    await page.get_by_label("Login").fill("alice")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.get_by_role("navigation").get_by_role("link", name="Top up").click()
    await page.get_by_role("radio", name="50.00").check()
    await page.get_by_role("button", name="Go on to pay").click()
    link = page.get_by_role("link", name="Go and pay")
    await expect(link).to_have_attribute("href", "https://checkout.stripe.com/c/cs_0")

    body = message("checkout.session.completed", site.paper.pay("cs_0"))
    await page.request.post(
        "/webhooks/stripe", data=body, headers={"Stripe-Signature": signature(body)}
    )

    await expect(page.get_by_role("status")).to_contain_text("50.00 USD were added")
    await expect(page.get_by_role("status")).to_contain_text("Your balance is 150.00 USD")


@pytest.mark.parametrize("width", [360, 1280])
async def test_no_page_of_a_caller_is_wider_than_the_screen(site: Site, page: Page, width: int):
    payment = await site.card_payment()
    await site.call(talk_seconds=62.4)
    await page.set_viewport_size({"width": width, "height": 800})
    await page.goto("/")
    await page.get_by_label("Login").fill("alice")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.locator("#balance")).to_be_visible()

    too_wide = []
    for path in (
        "/account", "/account/calls", "/account/topup", f"/account/topup/{payment}",
        "/account/plan", "/account/statements", "/account/phones", "/account/settings",
    ):  # fmt: skip
        await page.goto(path)
        spare = await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if spare > 0:
            too_wide.append((path, spare))

    assert not too_wide
