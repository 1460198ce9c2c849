"""A whole month through the command line: charged, billed, paid, credited, printed."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from billing.clock import ManualClock, microseconds_of
from billing.domain.operations import AccountRef, Post, PostedEntry
from billing.ids import new_id
from billing.storage.engine import create
from billing.storage.writer import GroupWriter
from tests.integration.test_command_line import talkmeter
from tests.migrated import DEMO, demo_state

THEN = datetime.now(tz=UTC).replace(day=1, hour=12) - timedelta(days=3)
MONTH = f"{THEN:%Y-%m}"  # the last one that is over


def charge(state: Path, amount: int) -> None:
    """Post a fee to bob in the month before this one."""

    async def post() -> None:
        clock = ManualClock(THEN)
        engine = create(f"sqlite+aiosqlite:///{state}/talkmeter.db")
        async with GroupWriter(engine) as writer:
            await writer.submit(
                Post(
                    key="a-fee",
                    transfer_id=new_id(clock),
                    kind="fee",
                    entries=(
                        PostedEntry(account=ref("caller", "bob"), amount=-amount),
                        PostedEntry(account=ref("provider", "provider"), amount=amount),
                    ),
                    at_us=microseconds_of(clock.now()),
                    memo="a fee",
                )
            )
        await engine.dispose()

    asyncio.run(post())


def ref(kind: str, code: str) -> AccountRef:
    return AccountRef(kind=kind, code=code, currency="USD")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    demo_state(tmp_path)
    charge(tmp_path, 20_000_000)
    return tmp_path


def ask(state: Path, *arguments: str):
    done = talkmeter(state, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_month_is_billed_paid_and_credited(state: Path) -> None:
    made = ask(state, "invoice", "run", "--month", MONTH)
    again = ask(state, "invoice", "run", "--month", MONTH)
    [number] = [each["number"] for each in made["created"]]
    paid = ask(state, "invoice", "pay", number, "5.00", "--key", "bank-1")
    repeated = ask(state, "invoice", "pay", number, "5.00", "--key", "bank-1")
    note = ask(state, "invoice", "credit", number, "--amount", "3", "--reason", "a mistake")
    shown = ask(state, "invoice", "show", number)
    rest = ask(state, "invoice", "pay", number, "13", "--key", "bank-2", "--oldest-first")
    [listed] = ask(state, "invoice", "list", "--account", "bob")

    assert (made["created"][0]["total"], again["created"], again["billed_before"]) == (
        "20.00", [], 1,
    )  # fmt: skip
    assert (paid["allocations"], repeated["replayed"]) == ({number: "5.00"}, True)
    assert (note["number"][:3], note["total"]) == ("CN-", "3.00")
    assert (shown["unpaid"], shown["lines"][0]["text"]) == ("12.00", "a fee")
    assert [each["kind"] for each in shown["allocations"]] == ["payment", "credit_note"]
    assert (rest["credit"], rest["balance"]) == ("1.00", "1.00")
    assert (listed["status"], listed["unpaid"]) == ("paid", "0.00")
    assert talkmeter(state, "verify").returncode == 0


def test_documents_are_written(state: Path) -> None:
    [made] = ask(state, "invoice", "run", "--month", MONTH)["created"]
    note = ask(state, "invoice", "credit", made["number"], "--amount", "3", "--reason", "r")
    top_up = ask(state, "topup", "alice", "5", "--key", "k")
    out = state / "document.pdf"

    for command in (
        ("invoice", "pdf", made["number"]),
        ("invoice", "pdf", note["number"]),
        ("account", "receipt", top_up["transfer_id"]),
    ):
        done = talkmeter(state, *command, "--out", str(out))
        assert done.returncode == 0, done.stderr
        assert out.read_bytes().startswith(b"%PDF-")
        out.unlink()
    nowhere = talkmeter(state, "invoice", "pdf", made["number"], "--out", str(state / "no" / "x"))
    unknown = talkmeter(state, "account", "receipt", "nothing", "--out", str(out))

    assert nowhere.returncode == 1
    assert "cannot be written" in nowhere.stderr
    assert "no document" in unknown.stderr
    assert not out.exists()


def test_a_late_fee_is_charged_once_and_one_beyond_the_limit_is_refused(state: Path) -> None:
    catalog = state / "terms.yaml"
    text = DEMO.read_text(encoding="utf-8")
    fee = 'billing: {terms: 10d, grace: 2d, late_fee: "5.00"}'
    catalog.write_text(text.replace("mode: postpaid,", f"mode: postpaid, {fee},"))
    assert talkmeter(state, "catalog", "apply", str(catalog)).returncode == 0
    ask(state, "invoice", "run", "--month", MONTH)
    catalog.write_text(catalog.read_text().replace('"100.00"', '"22.00"'))
    assert talkmeter(state, "catalog", "apply", str(catalog)).returncode == 0

    early = ask(state, "invoice", "late-fees")
    refused = talkmeter(state, "invoice", "late-fees", "--at", "2099-01-01", "--json")
    catalog.write_text(catalog.read_text().replace('"22.00"', '"100.00"'))
    assert talkmeter(state, "catalog", "apply", str(catalog)).returncode == 0
    [charged] = ask(state, "invoice", "late-fees", "--at", "2099-01-01")
    again = ask(state, "invoice", "late-fees", "--at", "2099-01-01")

    assert (early, again) == ([], [])
    assert refused.returncode == 1
    assert "to spend" in json.loads(refused.stdout)[0]["refused"]
    assert (charged["amount"], charged["account"], charged["refused"]) == ("5.00", "bob", None)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "--month", "2026-13"), "no month"),
        (("run", "--month", "2999-01"), "not over"),
        (("run", "--month", MONTH, "--account", "alice"), "prepaid"),
        (("show", "2026-000099"), "no document"),
        (("pay", "2026-000099", "1", "--key", "k"), "no document"),
        (("credit", "2026-000099", "--reason", "r"), "no document"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    state: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    done = talkmeter(state, "invoice", *arguments)

    assert done.returncode == 1
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
