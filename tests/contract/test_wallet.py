from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.errors import AccountExists, InsufficientFunds, InvalidInput, UnknownAccount
from billing.money import parse_amount
from billing.storage.tables import accounts
from billing.wallet import Wallet
from tests.books import Desk, flat, open_desk


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        yield desk


async def reserve(desk: Desk, number: str) -> None:
    """Give a number to an account, as a catalog may do."""
    async with desk.engine.begin() as connection:
        await connection.execute(
            insert(accounts),
            {
                "kind": "caller", "code": f"has-{number}", "currency": "USD", "mode": "prepaid",
                "number": number, "credit_limit": 0, "created_us": 0,
            },
        )  # fmt: skip


async def test_a_new_account_is_empty_and_has_a_number(desk: Desk) -> None:
    account = await desk.wallet.open_account("alice", mode="prepaid", currency="USD")

    assert (account.code, account.number, account.status) == ("alice", "100001", "active")
    assert (account.posted, account.held, account.spendable) == (0, 0, 0)
    assert await desk.wallet.account("alice") == account


async def test_accounts_opened_at_the_same_moment_have_different_numbers(
    desk: Desk, engine: AsyncEngine
) -> None:
    other = Wallet(writer=desk.writer, engine=engine, clock=desk.clock)

    opened = await asyncio.gather(
        *(
            wallet.open_account(f"caller-{number}-{turn}", mode="prepaid", currency="USD")
            for turn, wallet in enumerate((desk.wallet, other))
            for number in range(4)
        )
    )

    assert len({account.number for account in opened}) == 8


async def test_a_code_names_one_account_whatever_its_currency(desk: Desk) -> None:
    outcomes = await asyncio.gather(
        *(
            desk.wallet.open_account("alice", mode="prepaid", currency=currency)
            for currency in ("USD", "EUR", "USD")
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, AccountExists) for outcome in outcomes) == 2
    assert (await desk.wallet.account("alice")).number == "100001"


@pytest.mark.parametrize(
    ("taken", "following"),
    [
        ((), "100001"),
        (("100007",), "100008"),
        (("4711", "1000000"), "100001"),
        (("100001", "999999"), "100002"),
    ],
)
async def test_the_next_number_is_the_first_after_all_or_the_first_gap(
    desk: Desk, taken: tuple[str, ...], following: str
) -> None:
    for number in taken:
        await reserve(desk, number)

    account = await desk.wallet.open_account("alice", mode="prepaid", currency="USD")

    assert account.number == following


@pytest.mark.parametrize(
    ("code", "mode", "currency", "limit", "reason"),
    [
        ("", "prepaid", "USD", "0", "account code"),
        ("Al ice", "prepaid", "USD", "0", "account code"),
        ("a" * 65, "prepaid", "USD", "0", "account code"),
        ("alice", "free", "USD", "0", "mode"),
        ("alice", "prepaid", "dollars", "0", "currency"),
        ("alice", "prepaid", "USD", "1", "only a postpaid account"),
        ("alice", "postpaid", "USD", "-1", "credit limit"),
        ("alice", "postpaid", "USD", "1000001", "credit limit"),
    ],
)
async def test_what_no_account_can_be_is_refused(
    desk: Desk, code: str, mode: str, currency: str, limit: str, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        await desk.wallet.open_account(
            code, mode=mode, currency=currency, credit_limit=parse_amount(limit)
        )

    assert await desk.wallet.list_accounts() == []


async def test_accounts_are_listed_by_code_page_by_page(desk: Desk) -> None:
    for code in ("carol", "alice", "bob"):
        await desk.caller(code)
    await desk.caller("dave", "1")  # makes the funding account, which is nobody's to list

    first = await desk.wallet.list_accounts(limit=2)
    second = await desk.wallet.list_accounts(after=first[-1].code, limit=2)

    assert [[account.code for account in page] for page in (first, second)] == [
        ["alice", "bob"], ["carol", "dave"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "amount", "memo"),
    [
        ("", 1, None),
        ("k" * 201, 1, None),
        ("k\0", 1, None),
        ("k\n", 1, None),
        ("k", 0, None),
        ("k", -1, None),
        ("k", 1_000_000_000_001, None),
        ("k", 1, "bell \a"),
        ("k", 1, "half a pair \ud800"),
    ],
)
async def test_a_top_up_that_makes_no_sense_is_refused(
    desk: Desk, key: str, amount: int, memo: str | None
) -> None:
    await desk.caller("alice")

    with pytest.raises(InvalidInput):
        await desk.wallet.top_up("alice", amount, key=key, actor="test", memo=memo)

    assert await desk.spendable("alice") == 0


async def test_the_key_of_one_account_is_free_for_another(desk: Desk) -> None:
    for code in ("alice", "bob"):
        await desk.caller(code)
        await desk.wallet.top_up(code, 5, key="january", actor="test")

    assert [await desk.spendable(code) for code in ("alice", "bob")] == [5, 5]
    assert await desk.proved()


async def test_an_adjustment_corrects_up_and_down(desk: Desk) -> None:
    await desk.caller("alice", "2")

    down = await desk.wallet.adjust("alice", -1_500_000, key="a", actor="test", memo="a mistake")
    up = await desk.wallet.adjust("alice", 500_000, key="b", actor="test", memo="half of it")

    assert (down.balance, up.balance) == (500_000, 1_000_000)
    assert await desk.proved()


async def test_a_credit_limit_can_grow_and_shrink_to_what_is_owed_and_held(desk: Desk) -> None:
    await desk.caller("bob", credit_limit="1")
    terms = await desk.terms("s1", "bob", flat("0.60"))
    await desk.charging.open(terms, slice_seconds=30, expires_seconds=60)

    with pytest.raises(InsufficientFunds):
        await desk.wallet.set_credit_limit("bob", parse_amount("0.29"))
    lower = await desk.wallet.set_credit_limit("bob", parse_amount("0.30"))
    higher = await desk.wallet.set_credit_limit("bob", parse_amount("5"))

    assert (lower.spendable, higher.spendable) == (0, parse_amount("4.70"))
    assert await desk.proved()


async def test_a_prepaid_account_gets_no_credit_limit(desk: Desk) -> None:
    await desk.caller("alice", "2")

    with pytest.raises(InvalidInput):
        await desk.wallet.set_credit_limit("alice", 1)


async def test_a_blocked_account_can_be_topped_up_and_opened_again(desk: Desk) -> None:
    await desk.caller("alice")

    blocked = await desk.wallet.set_status("alice", "blocked")
    await desk.wallet.top_up("alice", 5, key="k", actor="test")
    active = await desk.wallet.set_status("alice", "active")

    assert (blocked.status, active.status, active.posted) == ("blocked", "active", 5)
    with pytest.raises(InvalidInput):
        await desk.wallet.set_status("alice", "frozen")


async def test_nothing_can_be_done_with_an_account_that_is_not_there(desk: Desk) -> None:
    wallet = desk.wallet

    for attempt in (
        wallet.account("nobody"),
        wallet.top_up("nobody", 1, key="k", actor="test"),
        wallet.adjust("nobody", 1, key="k", actor="test", memo="why"),
        wallet.set_status("nobody", "blocked"),
        wallet.set_credit_limit("nobody", 0),
    ):
        with pytest.raises(UnknownAccount):
            await attempt
