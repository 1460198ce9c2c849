"""An operator at work: a live call ticks, is given more time, is ended; an alarm is taken over."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.async_api import Page, expect

from ivr.telephony import QueueAgent, QueueCaller, QueueNow
from tests.site import PASSWORD, Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]


async def log_in(page: Page, login: str) -> None:
    await page.goto("/")
    await page.get_by_label("Login").fill(login)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()


async def test_an_operator_watches_extends_and_ends_a_call_and_takes_an_alarm(
    page: Page, site: Site
) -> None:
    await site.alarm()
    call_id = site.ring()
    await log_in(page, "olga")
    await expect(page.locator("#pulse")).to_contain_text("earns many times the usual")

    await page.get_by_role("link", name="Live calls").first.click()
    await page.locator(f"#live-{call_id}").click()
    await expect(page.locator("#talk")).to_have_text("1:05")
    (call,) = site.live.calls
    site.live.calls = [replace(call, talk_seconds=70.0)]
    await expect(page.locator("#talk")).to_have_text("1:10")

    await page.get_by_label("How much").select_option("10")
    await page.get_by_label("Reason").fill("the agent was slow")
    await expect(page.locator("#talk")).to_have_text("1:10")  # it ticks beside what is typed
    await page.get_by_role("button", name="Extend the call").click()
    await expect(page.locator("#live-now")).to_contain_text("extended by 10 min")
    assert site.control.extended == [(call_id, 10, "the agent was slow")]

    await page.get_by_role("button", name="Hang up").click()
    await expect(page.get_by_text("Nobody is on the line.")).to_be_visible()
    assert site.live.hung_up == [call_id]

    await page.get_by_role("link", name="Alarms").click()
    await page.get_by_label("Note").fill("I ask the client")
    await page.get_by_role("button", name="I look after it").click()
    await expect(page.get_by_text("Nothing needs you.")).to_be_visible()
    await expect(page.get_by_text("I ask the client")).to_be_visible()


async def test_the_board_ticks_while_a_client_looks_on(page: Page, site: Site) -> None:
    await site.staffed_queue("network", agents=("anna",))
    await log_in(page, "acme")
    await page.get_by_role("link", name="Queue board").click()
    await expect(page.get_by_text("Nobody waits.")).to_be_visible()

    site.queues.now["network"] = QueueNow(
        callers=(QueueCaller(uniqueid="1", position=1, waits_seconds=9),),
        agents=(QueueAgent(member="acme.anna", state="talking", calls=1),),
    )
    site.desk.clock.advance(2)

    await expect(page.locator("#board")).to_contain_text("0:09")
    await expect(page.locator("#board")).to_contain_text("Talks")
