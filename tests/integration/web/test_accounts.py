"""Accounts for operators: find, open, top up, block; and the caller's own page."""

from __future__ import annotations

import re

import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy import func, select

from billing.money import format_amount, parse_amount
from billing.storage.tables import transfers
from ivr.directory.callers import set_phones_and_pin
from ivr.tables import audit_log, phones, pins
from tests.site import Browser, Site, browser, csrf_of, field_of, text_of


async def _top_up(client: Browser, page: str, **fields: str):
    data = {"csrf": csrf_of(page), "key": field_of(page, "key"), **fields}
    return await client.post("/admin/accounts/alice/topups", data=data)


async def _account_page(client: Browser) -> str:
    return await (await client.get("/admin/accounts/alice")).text()


@pytest.mark.parametrize(
    ("fields", "added"),
    [
        ({"preset": "20"}, "20.00"),
        ({"amount": "12.5"}, "12.50"),
        ({"preset": "20", "amount": "0.000001"}, "0.000001"),
    ],
)
async def test_a_top_up_is_confirmed_and_stands_in_the_statement(
    site: Site, server: TestServer, fields: dict[str, str], added: str
):
    async with browser(server, "olga") as client:
        answer = await _top_up(client, await _account_page(client), reason="Cash", **fields)
        page = text_of(await answer.text())

    balance = format_amount(parse_amount("100") + parse_amount(added))
    assert f"{added} USD were added. The balance is {balance} USD." in page
    assert f"Top-up Cash · olga +{added} USD {balance} USD" in page
    assert await site.desk.spendable("alice") == parse_amount(balance)


async def test_a_form_that_is_sent_twice_credits_once(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        page = await _account_page(client)
        first = await _top_up(client, page, preset="50", reason="Cash")
        second = await _top_up(client, page, preset="50", reason="Cash")

    assert first.status == second.status == 200
    assert await site.desk.spendable("alice") == parse_amount("150")
    async with site.desk.engine.connect() as connection:
        notes = await connection.execute(
            select(audit_log.c.actor, audit_log.c.before, audit_log.c.after).where(
                audit_log.c.action == "top up"
            )
        )
        assert [tuple(note) for note in notes] == [("olga", "100.00", "150.00 USD")]
    assert await site.desk.proved()


async def test_the_same_form_with_another_amount_is_explained_not_booked(
    site: Site, server: TestServer
):
    async with browser(server, "olga") as client:
        page = await _account_page(client)
        await _top_up(client, page, preset="50", reason="Cash")
        answer = await _top_up(client, page, preset="100", reason="Cash")
        text = await answer.text()

    assert answer.status == 422
    assert "sent before with another amount" in text
    assert field_of(text, "key") != field_of(page, "key")
    assert await site.desk.spendable("alice") == parse_amount("150")


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"reason": "x"}, "amount", "Choose an amount or write one."),
        ({"amount": "12,50", "reason": "x"}, "amount", "Write an amount such as 12.50"),
        ({"amount": "-5", "reason": "x"}, "amount", "more than zero"),
        ({"amount": "0", "reason": "x"}, "amount", "more than zero"),
        ({"amount": "1000000.01", "reason": "x"}, "amount", "at most 1,000,000"),
        ({"amount": "1.0000001", "reason": "x"}, "amount", "at most six decimals"),
        ({"amount": "NaN", "reason": "x"}, "amount", "Write an amount"),
        ({"amount": "5"}, "reason", "Please fill this in."),
        ({"amount": "5", "reason": "a\x00b"}, "reason", "without control characters"),
        ({"amount": "5", "reason": "a\nb"}, "reason", "without control characters"),
        ({"amount": "5", "reason": "x" * 201}, "reason", "at most 200 characters"),
    ],
)
async def test_a_mistake_is_named_at_its_field(
    site: Site, server: TestServer, fields: dict[str, str], field: str, message: str
):
    async with browser(server, "olga") as client:
        answer = await _top_up(client, await _account_page(client), **fields)
        page = await answer.text()

    match = re.search(rf'id="d-{field}">([^<]*)<', page)
    assert answer.status == 422
    assert match is not None
    assert message in match[1]
    assert f'id="f-{field}"' in page
    assert 'aria-invalid="true"' in page
    async with site.desk.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(transfers)) == 1


async def test_a_top_up_of_an_unknown_account_is_not_found(server: TestServer):
    async with browser(server, "olga") as client:
        page = await _account_page(client)
        data = {"csrf": csrf_of(page), "key": field_of(page, "key"), "amount": "5", "reason": "x"}
        answer = await client.post("/admin/accounts/nobody/topups", data=data)

    assert answer.status == 404


async def test_accounts_are_found_by_what_their_name_number_or_phone_begins_with(
    site: Site, server: TestServer
):
    await set_phones_and_pin(
        site.desk.engine, "bob", numbers=["15559998888"], pin=None, key=b"k" * 32
    )
    async with browser(server, "olga") as client:
        found = {}
        for text in ("ALI", "100002", "+1555999", "%", "_"):
            page = await (await client.get("/admin/accounts", params={"q": text})).text()
            found[text] = re.findall(r'href="/admin/accounts/([a-z]+)"', page)

    assert found == {"ALI": ["alice"], "100002": ["bob"], "+1555999": ["bob"], "%": [], "_": []}


async def test_pages_of_accounts_show_each_one_once(site: Site, server: TestServer):
    names = [f"c{number:03d}" for number in range(120)]
    for name in names:
        await site.desk.wallet.open_account(name, mode="prepaid", currency="USD")
    seen: list[str] = []
    path: str | None = "/admin/accounts?mode=prepaid"
    async with browser(server, "olga") as client:
        while path:
            page = await (await client.get(path)).text()
            seen += re.findall(r'href="/admin/accounts/([a-z0-9]+)"', page)
            following = re.search(r'rel="next" href="([^"]+)"', page)
            path = following[1].replace("&amp;", "&") if following else None

    assert seen == ["alice", *names]


async def test_an_account_is_opened_with_its_phone_and_pin(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        page = await (await client.get("/admin/new-account")).text()
        data = {
            "csrf": csrf_of(page), "key": field_of(page, "key"), "code": "carol",
            "mode": "postpaid", "currency": "USD",
            "credit_limit": "75", "phone": "+1 (555) 777-6666", "pin": "482913",
        }  # fmt: skip
        answer = await client.post("/admin/new-account", data=data)
        text = text_of(await answer.text())
        again = await client.post("/admin/new-account", data={**data, "phone": ""})
        problem = text_of(await again.text())

    assert "Credit limit 75.00 USD" in text
    assert "15557776666" in text
    assert "Account carol exists already." in problem
    async with site.desk.engine.connect() as connection:
        assert await connection.scalar(select(phones.c.account)) == "carol"
        assert "482913" not in str(await connection.scalar(select(pins.c.pin_hash)))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("code", "Bad Name", "Use a-z"),
        ("code", "../x", "Use a-z"),
        ("currency", "QQQ", "Choose one"),
        ("credit_limit", "5", "Only a postpaid account"),
        ("credit_limit", "-5", "cannot be below zero"),
        ("phone", "call me", "2 to 20 digits"),
        ("pin", "12", "4 to 12 digits"),
    ],
)
async def test_a_wrong_new_account_is_named_at_its_field_and_not_opened(
    site: Site, server: TestServer, field: str, value: str, message: str
):
    async with browser(server, "olga") as client:
        page = await (await client.get("/admin/new-account")).text()
        data = {
            "csrf": csrf_of(page),
            "key": field_of(page, "key"),
            "code": "carol",
            "mode": "prepaid",
            "currency": "USD",
        }
        answer = await client.post("/admin/new-account", data={**data, field: value})
        text = await answer.text()

    assert answer.status == 422
    assert message in text
    assert not [
        one for one in await site.desk.wallet.list_accounts() if one.code not in {"alice", "bob"}
    ]


async def test_a_blocked_account_says_so_to_operator_and_caller(site: Site, server: TestServer):
    async with browser(server, "olga") as client, browser(server, "alice") as caller:
        page = await _account_page(client)
        await client.post(
            "/admin/accounts/alice/status", data={"csrf": csrf_of(page), "status": "blocked"}
        )
        after = text_of(await _account_page(client))
        own = text_of(await (await caller.get("/account")).text())

    assert "alice Blocked" in after
    assert "This account is blocked" in own
    assert (await site.desk.wallet.account("alice")).status == "blocked"


async def test_a_caller_sees_balance_calls_and_statement(site: Site, server: TestServer):
    await site.call(talk_seconds=62.4)
    async with browser(server, "alice") as client:
        page = text_of(await (await client.get("/account")).text())
        moves = text_of(await (await client.get("/account/statements")).text())

    assert "Balance 94.475 USD" in page
    assert "Billing 18005550100 Agent hung up 1:02 5.525 USD" in page
    assert "Call \N{MINUS SIGN}5.525 USD 94.475 USD" in moves


async def test_a_long_statement_continues_on_the_next_page(site: Site, server: TestServer):
    for number in range(55):
        await site.desk.wallet.top_up(
            "alice", parse_amount("1"), key=f"k{number}", actor="test", memo=f"memo-{number}."
        )
    async with browser(server, "olga") as client:
        first = await _account_page(client)
        following = re.search(r'rel="next" href="([^"]+)"', first)
        assert following is not None
        second = await (await client.get(following[1].replace("&amp;", "&"))).text()

    memos = re.findall(r"memo-(\d+)\.", first + second)
    assert memos == [str(number) for number in reversed(range(55))]
