from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from billing.domain.book import Book
from billing.domain.operations import (
    AccountRef,
    Expire,
    ExtendHold,
    OpenHold,
    Operation,
    Post,
    Posted,
    PostedEntry,
    SessionResult,
    Settle,
    Settled,
    Void,
    Voided,
)
from billing.domain.rating import RateTable
from billing.domain.rows import AccountRow
from billing.domain.splits import Part
from billing.domain.tariffs import Tariff, Tier
from billing.errors import (
    BillingError,
    CurrencyMismatch,
    GrantExceeded,
    HoldAlreadyResolved,
    HoldNotExpired,
    IdempotencyConflict,
    InsufficientFunds,
    InvalidInput,
    UnbalancedTransfer,
    UnknownAccount,
    UnknownHold,
)

UNIT = 1_000_000
ALICE = AccountRef(kind="caller", code="alice", currency="USD")
BOB = AccountRef(kind="caller", code="bob", currency="USD")
ACME = AccountRef(kind="client", code="acme", currency="USD")
FUNDING = AccountRef(kind="funding", code="funding", currency="USD")
EURO = AccountRef(kind="funding", code="funding", currency="EUR")
# One unit a second: amounts read as seconds.
TABLE = RateTable.compile(
    Tariff(
        name="second",
        currency="USD",
        tiers=(Tier(from_seconds=0, price=UNIT, per_seconds=1),),
    )
)
RESULT = SessionResult(started_us=0, ended_us=1, talk_us=1, billed_seconds=1, evidence="ami")
EXPIRES_US = 100

OPEN = OpenHold(
    hold_id="h", account=ALICE, table=TABLE, seconds=10, at_us=1, expires_us=EXPIRES_US, fair=False
)
EXTEND = ExtendHold(
    hold_id="h", account=ALICE, step=2, table=TABLE, seconds=20, expires_us=EXPIRES_US, fair=False
)
SETTLE = Settle(
    hold_id="h", account=ALICE, transfer_id="t", amount=7 * UNIT,
    parts=(Part(kind="client", account="acme", amount=7 * UNIT),), at_us=50, result=RESULT,
)  # fmt: skip
VOID = Void(hold_id="h", account=ALICE, at_us=50, note="no talk")
EXPIRE = Expire(hold_id="h", account=ALICE, at_us=EXPIRES_US)
ENDINGS: dict[str, Operation] = {"settled": SETTLE, "voided": VOID, "expired": EXPIRE}


@pytest.fixture
def book() -> Book:
    """Alice and Bob have 30 each; all others have no floor."""
    rows = [
        AccountRow(
            id=number, ref=ref, status="active", posted=30 * UNIT if ref.kind == "caller" else 0,
            held=0, open_holds=0, credit_limit=0 if ref.kind == "caller" else None, version=0,
        )
        for number, ref in enumerate((ALICE, BOB, ACME, FUNDING, EURO))
    ]  # fmt: skip
    return Book(accounts={row.ref: row for row in rows}, holds={}, transfers={})


def post(key: str, *entries: tuple[AccountRef, int]) -> Post:
    return Post(
        key=key, transfer_id=key, kind="top_up", at_us=1,
        entries=tuple(PostedEntry(account=ref, amount=amount * UNIT) for ref, amount in entries),
    )  # fmt: skip


def standing(book: Book, ref: AccountRef = ALICE) -> tuple[int, int, int]:
    row = book.accounts[ref]
    return row.posted // UNIT, row.held // UNIT, row.open_holds


def test_a_hold_binds_money_and_a_settlement_moves_it(book: Book) -> None:
    book.apply(OPEN)
    held = standing(book)
    book.apply(SETTLE)

    assert held == (30, 10, 1)
    assert standing(book) == (23, 0, 0)
    assert standing(book, ACME) == (7, 0, 0)
    assert [entry.amount // UNIT for entry in book.new_entries] == [-7, 7]


@pytest.mark.parametrize(("first", "second"), list(product(ENDINGS, ENDINGS)))
def test_a_hold_ends_once_whatever_ends_it_first(book: Book, first: str, second: str) -> None:
    book.apply(OPEN)
    once = book.apply(ENDINGS[first])
    after = standing(book)

    if first == second:
        assert book.apply(ENDINGS[second]) == once
    else:
        with pytest.raises(HoldAlreadyResolved) as refusal:
            book.apply(ENDINGS[second])
        assert refusal.value.facts["status"] == first
    assert standing(book) == after


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("late", [OPEN, EXTEND], ids=["open", "extend"])
def test_a_hold_that_ended_never_comes_back(book: Book, ending: str, late: Operation) -> None:
    book.apply(OPEN)
    book.apply(ENDINGS[ending])

    with pytest.raises(HoldAlreadyResolved):
        book.apply(late)

    assert standing(book)[1:] == (0, 0)


@pytest.mark.parametrize(
    "operation", [EXTEND, SETTLE, VOID, EXPIRE], ids=["extend", "settle", "void", "expire"]
)
def test_nobody_touches_the_hold_of_another_account(book: Book, operation: Operation) -> None:
    book.apply(OPEN)

    with pytest.raises(IdempotencyConflict):
        book.apply(replace(operation, account=BOB))  # type: ignore[call-arg]  # each of them has one

    assert standing(book) == (30, 10, 1)
    assert standing(book, BOB) == (30, 0, 0)


def test_a_hold_expires_when_its_time_is_over_and_not_before(book: Book) -> None:
    book.apply(OPEN)

    with pytest.raises(HoldNotExpired):
        book.apply(replace(EXPIRE, at_us=EXPIRES_US - 1))
    answer = book.apply(EXPIRE)

    assert answer == Voided(hold_id="h")
    assert standing(book) == (30, 0, 0)


def test_an_extension_moves_the_expiry(book: Book) -> None:
    book.apply(OPEN)
    book.apply(replace(EXTEND, expires_us=2 * EXPIRES_US))

    with pytest.raises(HoldNotExpired):
        book.apply(EXPIRE)


def test_the_same_hold_of_another_moment_or_account_is_a_conflict(book: Book) -> None:
    grant = book.apply(OPEN)

    again = book.apply(OPEN)

    assert again == grant
    for other in (replace(OPEN, at_us=2), replace(OPEN, account=BOB)):
        with pytest.raises(IdempotencyConflict):
            book.apply(other)


@pytest.mark.parametrize(
    ("settle", "refusal"),
    [
        (replace(SETTLE, amount=11 * UNIT), GrantExceeded),
        (replace(SETTLE, amount=6 * UNIT), UnbalancedTransfer),
        (replace(SETTLE, amount=-1, parts=()), InvalidInput),
        (
            replace(SETTLE, parts=(
                Part(kind="client", account="acme", amount=8 * UNIT),
                Part(kind="provider", account="provider", amount=-UNIT),
            )),
            InvalidInput,
        ),
        (
            replace(SETTLE, parts=(Part(kind="caller", account="nobody", amount=7 * UNIT),)),
            UnknownAccount,
        ),
        (replace(SETTLE, hold_id="other"), UnknownHold),
    ],
)  # fmt: skip
def test_a_settlement_that_is_not_right_leaves_no_trace(
    book: Book, settle: Settle, refusal: type[BillingError]
) -> None:
    book.apply(OPEN)

    with pytest.raises(refusal):
        book.apply(settle)

    assert standing(book) == (30, 10, 1)
    assert (book.new_entries, book.new_transfers, book.closed) == ([], [], [])


def test_a_settlement_of_nothing_moves_nothing_and_releases_all(book: Book) -> None:
    book.apply(OPEN)

    answer = book.apply(replace(SETTLE, amount=0, parts=()))

    assert answer == Settled(amount=0, balance_before=30 * UNIT, balance_after=30 * UNIT)
    assert standing(book) == (30, 0, 0)
    assert book.new_transfers == []


@pytest.mark.parametrize(
    ("transfer", "refusal"),
    [
        (post("k", (ALICE, 5), (FUNDING, -4)), UnbalancedTransfer),
        (post("k", (ALICE, 0)), UnbalancedTransfer),
        (post("k", (ALICE, 0), (FUNDING, 0)), InvalidInput),
        (post("k", (ALICE, 2**60), (FUNDING, -(2**60))), InvalidInput),
        (post("k", (ALICE, 5), (EURO, -5)), CurrencyMismatch),
        (post("k", (ALICE, -31), (FUNDING, 31)), InsufficientFunds),
        # Each entry alone could be paid, both together cannot.
        (post("k", (ALICE, -20), (ALICE, -20), (FUNDING, 40)), InsufficientFunds),
    ],
)
def test_a_transfer_that_is_not_right_leaves_no_trace(
    book: Book, transfer: Post, refusal: type[BillingError]
) -> None:
    with pytest.raises(refusal):
        book.apply(transfer)

    assert standing(book) == (30, 0, 0)
    assert (book.new_entries, book.transfers) == ([], {})


def test_a_transfer_may_take_and_give_the_same_account_as_long_as_the_sum_can_be_paid(
    book: Book,
) -> None:
    book.apply(post("k", (ALICE, -40), (ALICE, 15), (FUNDING, 25)))

    assert standing(book) == (5, 0, 0)
    assert [entry.seq for entry in book.new_entries if entry.account_id == 0] == [1, 2]


@pytest.mark.parametrize("entries", [((ALICE, 6), (FUNDING, -6)), ((BOB, 5), (FUNDING, -5))])
def test_the_same_key_with_other_content_is_a_conflict(
    book: Book, entries: tuple[tuple[AccountRef, int], ...]
) -> None:
    first = book.apply(post("k", (ALICE, 5), (FUNDING, -5)))
    again = book.apply(post("k", (ALICE, 5), (FUNDING, -5)))

    with pytest.raises(IdempotencyConflict):
        book.apply(post("k", *entries))

    assert isinstance(first, Posted)
    assert again == replace(first, replayed=True)
    assert (standing(book), standing(book, BOB)) == ((35, 0, 0), (30, 0, 0))
