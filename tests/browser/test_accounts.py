"""An operator's morning: import callers, find one while typing, top up, adjust, a new PIN."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from billing.money import parse_amount
from tests.site import PASSWORD, Site

pytestmark = pytest.mark.browser

FILE = """account,mode,currency,opening_balance,phones
carol,prepaid,USD,20,15551230009
caesar,prepaid,USD,,
bad name,prepaid,USD,,
dora,prepaid,QQQ,,
"""


async def test_an_operator_imports_finds_tops_up_adjusts_and_resets_a_pin(
    site: Site, page: Page, tmp_path: Path
):
    (tmp_path / "callers.csv").write_text(FILE, encoding="utf-8")
    await page.goto("/")
    await page.get_by_label("Login").fill("olga")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()

    await page.get_by_role("link", name="Import", exact=True).click()
    await page.get_by_label("File of accounts (CSV)").set_input_files(tmp_path / "callers.csv")
    await page.get_by_role("button", name=re.compile("Look at it first.*accounts")).click()
    await expect(page.locator("#n-refused")).to_have_text("2")
    await expect(page.get_by_text("Use a-z, 0-9, dot")).to_be_visible()
    assert len(await site.desk.wallet.list_accounts()) == 2
    await page.get_by_role("button", name="Import 2 rows").click()
    await expect(page.get_by_role("status")).to_contain_text("2 made, 0 changed, 2 refused")

    await page.get_by_role("link", name="Accounts", exact=True).click()
    await page.get_by_label("Name, number or phone").press_sequentially("caro", delay=30)
    await expect(page.locator("#found tbody tr")).to_have_count(1)
    await page.get_by_role("link", name="carol").click()
    await page.get_by_role("radio", name="50").check()
    await page.get_by_label("Reason").fill("Cash at the desk")
    await page.get_by_role("button", name="Top up").click()
    await expect(page.get_by_role("status")).to_contain_text("50.00 USD were added")

    await page.get_by_text("Adjust the balance").click()
    await page.get_by_label("Direction").select_option("debit")
    await page.get_by_label("Amount to adjust by").fill("71")
    await page.get_by_label("Why it is adjusted").fill("Counted twice")
    await page.get_by_role("button", name="Adjust", exact=True).click()
    await expect(page.locator("#d-adjust_amount")).to_have_text("At most 70.00 can be taken.")
    await page.get_by_label("Amount to adjust by").fill("20")
    await page.get_by_role("button", name="Adjust", exact=True).click()
    await expect(page.locator("#balance")).to_have_text(re.compile(r"^50\.00\s*USD$"))

    await page.get_by_role("button", name="Draw a PIN, shown once").click()
    await expect(page.locator(".pin-shown")).to_have_text(re.compile(r"^\d{6}$"))
    assert await site.desk.spendable("carol") == parse_amount("50")
    assert await site.desk.proved()
