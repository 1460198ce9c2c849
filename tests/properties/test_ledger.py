"""Random programs against the book of the ledger and a simple oracle that shares no code with it.

Whatever the order of opens, extensions, settlements, voids, top-ups and withdrawals: entries sum to
zero, counters equal the sums of entries, nobody spends below its floor, and a replay changes
nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.book import AccountRow, Book
from billing.domain.cover import issuer_of
from billing.domain.operations import (
    AccountRef,
    ExtendHold,
    Grant,
    OpenHold,
    Operation,
    Post,
    PostedEntry,
    SessionResult,
    Settle,
    Settled,
    Void,
)
from billing.domain.rating import RateTable
from billing.domain.splits import Share, split
from billing.domain.tariffs import Tariff, Tier
from billing.errors import BillingError

CALLERS = [AccountRef(kind="caller", code=code, currency="USD") for code in ("a", "b", "c")]
OTHERS = [
    AccountRef(kind=kind, code=code, currency="USD")
    for kind, code in (("provider", "provider"), ("client", "acme"), ("funding", "funding"))
]
ALLOWANCES = tuple(
    AccountRef(kind="allowance", code=code, currency="SEC") for code in ("rollover", "cycle")
)
ISSUER = issuer_of(ALLOWANCES[0])
LIMITS = {"a": 0, "b": 0, "c": 3_000_000}
FLOORED = {"caller", "allowance"}
TABLE = RateTable.compile(
    Tariff(
        name="t",
        currency="USD",
        setup_fee=100_000,
        minimum_seconds=3,
        tiers=(
            Tier(from_seconds=0, price=777_777, increment_seconds=6),
            Tier(from_seconds=30, price=333_333),
        ),
    )
)
RESULT = SessionResult(started_us=0, ended_us=1, talk_us=1, billed_seconds=1, evidence="ami")

account = st.sampled_from(CALLERS)
hold = st.sampled_from([f"h{number}" for number in range(3)])
shares = st.integers(min_value=0, max_value=10_000).map(
    lambda points: (
        Share(kind="provider", account="provider", basis_points=points),
        Share(kind="client", account="acme", basis_points=10_000 - points),
    )
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("open"), hold, account, st.integers(1, 90), st.booleans()),
        st.tuples(st.just("extend"), hold, st.integers(1, 180), st.integers(2, 3)),
        st.tuples(st.just("settle"), hold, st.integers(0, 120), shares),
        st.tuples(st.just("void"), hold),
        st.tuples(
            st.just("grant"), st.sampled_from(ALLOWANCES), st.integers(1, 60), st.integers(0, 9)
        ),
        st.tuples(st.just("top_up"), account, st.integers(1_000_000, 5_000_000), st.integers(0, 9)),
        st.tuples(st.just("take"), account, st.integers(1, 5_000_000), st.integers(0, 9)),
    ),
    min_size=8,
    max_size=60,
)


def empty_book() -> Book:
    rows = [
        AccountRow(
            id=number, ref=ref, status="active", posted=0, held=0, open_holds=0,
            credit_limit=LIMITS.get(ref.code, 0) if ref.kind in FLOORED else None, version=0,
        )
        for number, ref in enumerate([*CALLERS, *OTHERS, *ALLOWANCES, ISSUER])
    ]  # fmt: skip
    return Book(accounts={row.ref: row for row in rows}, holds={}, transfers={})


def operation(step: tuple, owners: dict[str, AccountRef]) -> Operation:
    """Turn a step into an operation; `owners` remembers whose hold it is."""
    match step:
        case ("open", name, who, seconds, fair):
            return OpenHold(
                hold_id=name, account=owners.setdefault(name, who), table=TABLE,
                seconds=seconds, at_us=1, expires_us=2, fair=fair, cover=covers(name),
            )  # fmt: skip
        case ("extend", name, seconds, number):
            return ExtendHold(
                hold_id=name, account=owners.get(name, CALLERS[0]), step=number, table=TABLE,
                seconds=seconds, expires_us=3, cover=covers(name),
            )  # fmt: skip
        case ("settle", name, seconds, parties):
            covered = seconds // 2 if covers(name) else 0
            amount = TABLE.cost(seconds - covered)
            return Settle(
                hold_id=name, account=owners.get(name, CALLERS[0]), transfer_id=f"s-{name}",
                amount=amount, parts=split(amount, parties), at_us=4, result=RESULT,
                cover=covers(name), covered_seconds=covered,
            )  # fmt: skip
        case ("void", name):
            return Void(
                hold_id=name, account=owners.get(name, CALLERS[0]), at_us=5, note="",
                cover=covers(name),
            )  # fmt: skip
        case ("grant", allowance, seconds, number):
            key, units = f"grant:{allowance.code}:{number}", seconds * 1_000_000
            return Post(
                key=key, transfer_id=key, kind="grant", at_us=6,
                entries=(
                    PostedEntry(account=allowance, amount=units),
                    PostedEntry(account=ISSUER, amount=-units),
                ),
            )  # fmt: skip
        case (kind, who, amount, number):
            signed = amount if kind == "top_up" else -amount
            key = f"{kind}:{who.code}:{number}"
            return Post(
                key=key, transfer_id=key, kind=kind, at_us=6,
                entries=(
                    PostedEntry(account=who, amount=signed),
                    PostedEntry(account=OTHERS[2], amount=-signed),
                ),
            )  # fmt: skip
    raise AssertionError(step)


def covers(name: str) -> tuple[AccountRef, ...]:
    """Let a plan cover the talks of every hold but the first."""
    return () if name == "h0" else ALLOWANCES


def check(book: Book) -> None:
    """Compare the book with sums made in the plainest way."""
    by_transfer: Counter[str] = Counter()
    by_account: Counter[int] = Counter()
    for entry in book.new_entries:
        by_transfer[entry.transfer_id] += entry.amount
        by_account[entry.account_id] += entry.amount
    assert not any(by_transfer.values())
    for row in book.accounts.values():
        held = [
            item.amount
            for item in book.holds.values()
            if item.account_id == row.id and item.status == "pending"
        ]
        entries = [entry for entry in book.new_entries if entry.account_id == row.id]
        assert row.posted == by_account[row.id]
        assert (row.held, row.open_holds) == (sum(held), len(held))
        assert [entry.seq for entry in entries] == list(range(1, row.version + 1))
        if row.ref.kind in FLOORED:
            assert row.posted - row.held + LIMITS.get(row.ref.code, 0) >= 0


def run(book: Book, program: Sequence[Operation]) -> list[object]:
    answers: list[object] = []
    for item in program:
        before = deepcopy((book.accounts, book.holds, len(book.new_entries)))
        try:
            answers.append(book.apply(item))
        except BillingError as refusal:
            assert deepcopy((book.accounts, book.holds, len(book.new_entries))) == before
            answers.append(type(refusal))
        check(book)
    return answers


@settings(max_examples=300)
@given(steps)
def test_no_order_of_operations_breaks_the_ledger(program: list[tuple]) -> None:
    owners: dict[str, AccountRef] = {}

    run(empty_book(), [operation(step, owners) for step in program])


@settings(max_examples=200)
@given(steps)
def test_a_replay_of_what_was_accepted_changes_nothing(program: list[tuple]) -> None:
    owners: dict[str, AccountRef] = {}
    book = empty_book()
    operations = [operation(step, owners) for step in program]
    answers = run(book, operations)
    before = deepcopy((book.accounts, len(book.new_entries)))

    for item, answer in zip(operations, answers, strict=True):
        if isinstance(item, Post | Settle | Void) and not isinstance(answer, type):
            again = book.apply(item)
            if isinstance(answer, Settled):
                assert again == answer

    assert (book.accounts, len(book.new_entries)) == before


@given(steps, st.integers(min_value=0, max_value=200))
def test_a_hold_always_covers_the_talk_it_grants(program: list[tuple], seconds: int) -> None:
    owners: dict[str, AccountRef] = {}
    book = empty_book()
    rich = [("top_up", who, 5_000_000, 0) for who in CALLERS]

    answers = run(book, [operation(step, owners) for step in [*rich, *program]])

    for grant in (answer for answer in answers if isinstance(answer, Grant)):
        paid = max(min(seconds, grant.seconds) - grant.covered_seconds, 0)
        assert TABLE.cost(paid) <= grant.amount
        assert replace(grant, final=False).step >= 1
