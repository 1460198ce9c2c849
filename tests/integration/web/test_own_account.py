"""A caller's own page: voucher, PIN, phones, plan, receipts and the statement as a file."""

from __future__ import annotations

import csv
import io
import re

import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy import select

from billing.domain.plans import Meter, Plan
from billing.money import parse_amount
from billing.subscriptions import Subscriptions
from billing.vouchers import Vouchers
from ivr.directory.callers import set_phones_and_pin
from ivr.directory.gate import PinGate
from ivr.tables import audit_log, phones
from tests.plans import Shop
from tests.site import Browser, Site, browser, csrf_of, field_of, text_of

OLD, NEW = "4711", "825163"


async def _voucher(site: Site, amount: str = "10", currency: str = "USD") -> str:
    vouchers = Vouchers(
        engine=site.desk.engine, clock=site.desk.clock, secret=site.deps.voucher_key
    )
    made = await vouchers.generate(
        amount=parse_amount(amount), currency=currency, count=1, actor="test"
    )
    return made.codes[0]


async def _page(client: Browser) -> str:
    return await (await client.get("/account")).text()


async def _redeem(client: Browser, page: str, code: str):
    data = {"csrf": csrf_of(page), "key": field_of(page, "key"), "code": code}
    return await client.post("/account/vouchers", data=data)


async def _with_pin(site: Site, account: str = "alice") -> None:
    await set_phones_and_pin(site.desk.engine, account, numbers=(), pin=OLD, key=site.deps.pin_key)
    await site.directory.load()


async def _change(client: Browser, old: str, new: str, again: str | None = None):
    data = {
        "csrf": csrf_of(await _page(client)), "old_pin": old, "new_pin": new,
        "new_pin_again": new if again is None else again,
    }  # fmt: skip
    return await client.post("/account/pin", data=data)


def _phone_gate(site: Site) -> PinGate:
    """The gate of the phone line, another object than the one of the web."""
    return PinGate(
        site.desk.engine,
        site.desk.clock,
        key=site.deps.pin_key,
        hash_of=lambda account: site.deps.directory().pin_hash(account),
    )


async def test_a_voucher_becomes_money_once_however_often_the_form_is_sent(
    site: Site, server: TestServer
):
    code = await _voucher(site)
    async with browser(server, "alice") as client, browser(server, "bob") as other:
        page = await _page(client)
        first = text_of(await (await _redeem(client, page, f"{code[:7]}-{code[7:]}")).text())
        again = await _redeem(client, page, code)
        theirs = await _redeem(other, await _page(other), code)

    assert "10.00 USD were added." in first
    assert "Balance 110.00 USD" in first
    assert again.status == 200
    assert (theirs.status, "used before" in text_of(await theirs.text())) == (422, True)
    assert await site.desk.spendable("alice") == parse_amount("110")
    assert await site.desk.proved()


async def test_wrong_vouchers_lock_together_with_those_of_the_phone(site: Site, server: TestServer):
    code = await _voucher(site)
    vouchers = Vouchers(
        engine=site.desk.engine, clock=site.desk.clock, secret=site.deps.voucher_key
    )
    for number in range(5):
        with pytest.raises(Exception, match="voucher"):
            await _phone_gate(site).redeem(
                "alice", lambda guess=f"1000000000000{number}": vouchers.redeem("alice", guess)
            )
    async with browser(server, "alice") as client:
        wrong = [
            (await _redeem(client, await _page(client), f"2000000000000{number}")).status
            for number in range(5)
        ]
        locked = await _redeem(client, await _page(client), code)
        site.desk.clock.advance(15 * 60 + 1)
        opened = await _redeem(client, await _page(client), code)

    assert wrong == [422] * 5
    assert "too many" in text_of(await locked.text()).lower()
    assert opened.status == 200
    assert await site.desk.spendable("alice") == parse_amount("110")


async def test_a_voucher_of_another_currency_is_explained(site: Site, server: TestServer):
    code = await _voucher(site, currency="EUR")
    async with browser(server, "alice") as client:
        answer = await _redeem(client, await _page(client), code)

    assert answer.status == 422
    assert "EUR" in text_of(await answer.text())


async def test_a_pin_is_changed_by_who_knows_the_old_one(site: Site, server: TestServer):
    await _with_pin(site)
    async with browser(server, "alice") as client:
        wrong = await _change(client, "0000", NEW)
        unlike = await _change(client, OLD, NEW, NEW[::-1])
        short = await _change(client, OLD, "123")
        done = await _change(client, OLD, NEW)
        said = text_of(await done.text())
    await site.directory.load()
    gate = _phone_gate(site)

    assert [wrong.status, unlike.status, short.status] == [422] * 3
    assert "This is not your PIN" in text_of(await wrong.text())
    assert "Your PIN is changed" in said
    assert OLD not in await wrong.text()
    assert await gate.check("alice", NEW, caller="15551230001")
    assert not await gate.check("alice", OLD, caller="15551230001")
    async with site.desk.engine.connect() as connection:
        notes = list(await connection.execute(select(audit_log)))
    assert not [note for note in notes if OLD in str(note) or NEW in str(note)]


async def test_wrong_pins_on_the_page_lock_the_phone_and_the_other_way_round(
    site: Site, server: TestServer
):
    await _with_pin(site)
    async with browser(server, "alice") as client:
        for _ in range(3):
            await _change(client, "0000", NEW)
        for number in range(2):
            await _phone_gate(site).check("alice", "0000", caller=f"1555123000{number}")
        by_web = await _change(client, OLD, NEW)
    by_phone = await _phone_gate(site).check("alice", OLD, caller="15551239999")

    assert by_web.status == 422
    assert "tried too often" in text_of(await by_web.text())
    assert not by_phone


async def test_who_has_no_pin_is_told_whom_to_ask(site: Site, server: TestServer):
    async with browser(server, "alice") as client:
        page = await _page(client)
        answer = await _change(client, "", NEW)

    assert "Ask your provider to set one." in text_of(page)
    assert answer.status == 422


async def test_own_phones_are_listed_and_removed_those_of_others_not(
    site: Site, server: TestServer
):
    for account, number in (("alice", "15551230001"), ("bob", "15551230002")):
        await set_phones_and_pin(
            site.desk.engine, account, numbers=[number], pin=None, key=site.deps.pin_key
        )
    async with browser(server, "alice") as client:
        page = await _page(client)
        foreign = await client.post(
            "/account/phones/remove", data={"csrf": csrf_of(page), "number": "15551230002"}
        )
        done = await client.post(
            "/account/phones/remove", data={"csrf": csrf_of(page), "number": "+1 555 123 0001"}
        )
        after = text_of(await done.text())
    async with site.desk.engine.connect() as connection:
        left = list(await connection.scalars(select(phones.c.number)))

    assert "15551230001" in page
    assert "15551230002" not in page
    assert "added only by calling" in text_of(page)
    assert foreign.status == 404
    assert "The phone is removed" in after
    assert left == ["15551230002"]


async def test_the_plan_shows_what_is_left_of_it(site: Site, server: TestServer):
    plans = Subscriptions(engine=site.desk.engine, clock=site.desk.clock)
    minutes = Meter(unit="minutes", included=100 * 60 * 1_000_000)
    await Shop(desk=site.desk, plans=plans).offer(
        Plan(name="starter", currency="USD", price=parse_amount("49"), meters=(minutes,))
    )
    await plans.subscribe("alice", "starter")
    async with browser(server, "alice") as client, browser(server, "bob") as other:
        mine = text_of(await _page(client))
        theirs = text_of(await _page(other))

    assert "Plan starter Active A month 49.00 USD Left 100 of 100 minutes" in mine
    assert "You have no plan" in theirs


async def test_a_receipt_is_a_pdf_of_its_own_account_alone(site: Site, server: TestServer):
    await site.call()
    async with browser(server, "alice") as client, browser(server, "bob") as other:
        page = await _page(client)
        [link] = re.findall(r'href="(/account/receipt.pdf\?transfer=[0-9a-f-]+)"', page)
        mine = await client.get(link)
        body = await mine.read()
        theirs = await other.get(link)
        none = await client.get("/account/receipt.pdf?transfer=" + "0" * 36)

    assert (mine.status, mine.content_type) == (200, "application/pdf")
    assert body.startswith(b"%PDF")
    assert (theirs.status, none.status) == (404, 404)


async def test_the_statement_is_downloaded_for_days_and_holds_no_formula(
    site: Site, server: TestServer
):
    site.desk.clock.advance(86_400)
    first = site.desk.clock.now().date()
    await site.desk.wallet.top_up(
        "alice", parse_amount("5"), key="k", actor="test", memo="=HYPERLINK(1)"
    )
    async with browser(server, "alice") as client:
        answer = await client.get(f"/account/statement.csv?first={first}&last={first}")
        rows = list(csv.DictReader(io.StringIO(await answer.text())))
        whole = list(
            csv.DictReader(io.StringIO(await (await client.get("/account/statement.csv")).text()))
        )
        wrong = await client.get("/account/statement.csv?first=2026-02-30")

    assert "attachment" in answer.headers["Content-Disposition"]
    assert [(row["kind"], row["amount"], row["balance"], row["memo"]) for row in rows] == [
        ("top_up", "5.00", "105.00", "'=HYPERLINK(1)")
    ]
    assert [row["amount"] for row in whole] == ["100.00", "5.00"]
    assert wrong.status == 422
