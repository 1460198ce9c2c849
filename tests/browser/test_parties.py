"""Journeys in a real browser: a client drills down and asks for money, partners look at theirs."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from playwright.async_api import Page, expect

from billing.domain.payouts import BankAccount, PayoutTerms
from billing.payouts import Payouts
from tests.browser.test_web import _log_in
from tests.integration.web.test_parties_page import _agree
from tests.site import Site

pytestmark = pytest.mark.browser

BANK = BankAccount(name="Acme IT Support", iban="LT121000011101001000")


async def test_a_client_drills_from_a_month_to_a_call_and_requests_a_payout(
    page: Page, site: Site
) -> None:
    payouts = Payouts(engine=site.desk.engine, clock=site.desk.clock)
    await payouts.set_terms("client", "acme", PayoutTerms(hold_back_days=0, bank=BANK))
    await site.call(topic="Billing", talk_seconds=60)
    await site.call(topic="Network", talk_seconds=120)
    site.desk.clock.advance(60)
    await _log_in(page, "acme")

    await page.goto("/portal?by=month&first=2026-03-01&last=2026-03-31")
    await page.get_by_role("link", name=re.compile("2026-03-01")).first.click()
    await page.get_by_role("link", name="Topic").click()
    await page.get_by_role("link", name="1 calls of Network").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Calls behind the revenue")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.locator("tbody a").click()
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await page.go_back()
    await page.get_by_role("link", name="All revenue").click()
    await page.get_by_role("link", name="Payouts").click()
    await page.get_by_role("button", name="Request").click()

    await expect(page.get_by_role("status")).to_contain_text("Requested")
    await expect(page.locator("#payable")).to_contain_text("0.00")


async def test_partners_read_what_they_earned(page: Page, site: Site) -> None:
    await _agree(site)
    terms = await site.desk.terms("s1", "alice")
    shares = site.directory.current().client("acme").shares_at(site.now_us())
    terms = replace(terms, client="acme", shares=shares)
    grant = await site.desk.charging.open(terms, slice_seconds=60, expires_seconds=300)
    await site.desk.settle(terms, 60, grant.seconds)

    await _log_in(page, "topco")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Your earnings")
    await expect(page.locator("dl.tiles").first).to_contain_text("0.275")
    await page.get_by_role("button", name="Log out").click()
    await _log_in(page, "rolf")
    await expect(page.get_by_text("Clients you brought")).to_be_visible()
    await page.get_by_role("link", name="Statement").first.click()

    await expect(page.get_by_role("heading", level=1)).to_contain_text("Statement")


async def test_an_operator_changes_a_split_and_sees_who_gets_what_first(
    page: Page, site: Site
) -> None:
    await site.call()
    await _log_in(page, "olga")

    await page.goto("/admin/clients/acme/edit")
    await page.get_by_label("Provider").fill("20")
    await page.get_by_label("Client", exact=True).fill("80")
    await page.get_by_role("button", name="Preview").click()
    await expect(page.locator("#preview")).to_contain_text("8.00")
    await page.get_by_role("button", name="Save").click()

    await expect(page.get_by_role("status")).to_contain_text("Saved")
    await expect(page.locator(".versions")).to_contain_text("Version 1")
