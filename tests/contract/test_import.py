"""Imports on both databases: applied as shown, once, and never over what changed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.money import parse_amount
from ivr.bulk.account_sheet import EXPORTED, exported
from ivr.bulk.fates import Fate, counted
from ivr.bulk.run import Actor, Importer
from ivr.bulk.sheet import write_sheet
from ivr.bulk.uploads import Upload, Uploads
from ivr.care_tables import uploads
from ivr.directory.catalog_export import export
from ivr.directory.pins import verify_pin
from ivr.tables import audit_log, phones, pins
from tests.books import Desk, open_desk

KEY = b"k" * 32
OLGA = Actor(login="olga", address="127.0.0.1")
FILE = b"""account,mode,currency,credit_limit,opening_balance,phones,pin,language,status
carol,,USD,,20,15551230001 15551230002,482913,de,
dave,postpaid,USD,100,,,,,blocked
bad name,,USD,,,,,,
erin,,,,,,,,
alice,postpaid,,,,,,,
"""


@dataclass
class Shop:
    desk: Desk
    importer: Importer

    async def keep(self, kind: str, body: bytes) -> Upload:
        fates = await self.importer.look(kind, body, "file", ["USD", "EUR"])
        name = await self.importer.uploads.keep(
            kind=kind, login="olga", session="s", name="file", body=body, shown=fates
        )
        return await self.find(name)

    async def find(self, name: str) -> Upload:
        async with self.desk.engine.connect() as connection:
            found = await self.importer.uploads.find(connection, name, login="olga", session="s")
        assert found
        return found

    async def run(self, upload: Upload) -> Upload:
        assert await self.importer.uploads.start(upload)
        await self.importer.run(await self.find(upload.id), ["USD", "EUR"], OLGA)
        return await self.find(upload.id)


@asynccontextmanager
async def _shop(engine: AsyncEngine, folder: Path) -> AsyncIterator[Shop]:
    async with open_desk(engine, folder) as desk:
        await desk.caller("alice", "100")
        store = Uploads(engine=engine, clock=desk.clock, key=KEY)
        yield Shop(
            desk=desk,
            importer=Importer(
                engine=engine, wallet=desk.wallet, clock=desk.clock, pin_key=KEY, uploads=store
            ),
        )


def _told(fates: tuple[Fate, ...] | list[Fate]) -> list[tuple[int, str, str, str]]:
    return [(fate.line, fate.subject, fate.what, fate.column) for fate in fates]


async def test_accounts_are_shown_then_made_whole_and_the_same_file_again_is_unchanged(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    async with _shop(engine, tmp_path) as shop:
        upload = await shop.keep("accounts", FILE)
        assert _told(upload.shown) == [
            (2, "carol", "new", ""), (3, "dave", "new", ""), (4, "bad name", "refused", "account"),
            (5, "erin", "refused", "currency"), (6, "alice", "refused", "mode"),
        ]  # fmt: skip
        assert "482913" not in str(upload)
        done = await shop.run(upload)

        again = await shop.keep("accounts", FILE)
        async with engine.connect() as connection:
            hashed = await connection.scalar(select(pins.c.pin_hash))
            kept = list(await connection.scalars(select(phones.c.number)))
            sealed = await connection.scalar(select(uploads.c.body))
            audited = await connection.scalar(
                select(func.count()).where(audit_log.c.action == "import accounts")
            )

        assert done.state == "done"
        assert counted(done.outcome)["new"] == 2
        assert counted(again.shown) == {"new": 0, "changed": 0, "unchanged": 2, "refused": 3}
        assert sorted(kept) == ["15551230001", "15551230002"]
        assert verify_pin(hashed, "482913", key=KEY)
        assert b"482913" not in bytes(sealed or b"")
        assert audited == 2
        assert await shop.desk.spendable("carol") == parse_amount("20")
        assert (await shop.desk.wallet.account("dave")).status == "blocked"
        assert await shop.desk.proved()


async def test_a_row_whose_account_changed_meanwhile_is_refused_not_misapplied(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    async with _shop(engine, tmp_path) as shop:
        await shop.desk.caller("bob", credit_limit="50")
        body = b"account,credit_limit,currency\nbob,80,\nzoe,,USD\n"
        upload = await shop.keep("accounts", body)
        await shop.desk.wallet.set_credit_limit("bob", parse_amount("60"))
        await shop.desk.wallet.open_account("zoe", mode="prepaid", currency="USD")

        done = await shop.run(upload)

        assert _told(done.outcome) == [(2, "bob", "refused", ""), (3, "zoe", "refused", "")]
        assert (await shop.desk.wallet.account("bob")).credit_limit == parse_amount("60")


async def test_rows_that_clash_within_a_file_or_with_others_name_whom(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    async with _shop(engine, tmp_path) as shop:
        first = b"account,currency,phones\nbob,USD,15550001111\n"
        await shop.run(await shop.keep("accounts", first))
        body = (
            b"account,currency,phones,number\n"
            b"carol,USD,15550001111,\n"
            b"dave,USD,15550002222,\n"
            b"erin,USD,15550002222,\n"
            b"dave,USD,,\n"
            b"fred,USD,,100001\n"
        )
        shown = (await shop.keep("accounts", body)).shown

        assert [fate.reason for fate in shown] == [
            "The phone 15550001111 belongs to bob.", "",
            "The phone 15550002222 stands on line 3 already.",
            "Stands on line 3 already.", "The number 100001 belongs to alice.",
        ]  # fmt: skip


async def test_top_ups_credit_once_per_reference_however_often_the_file_is_sent(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    body = (
        b"account;amount;reason;reference\n"
        b"alice;25;bank transfer;r-1\n"
        b"alice;5;;r-2\n"
        b"alice;7;;r-1\n"
        b"nobody;1;;r-3\n"
        b"alice;0;;r-4\n"
        b"alice;1;;\n"
    )
    async with _shop(engine, tmp_path) as shop:
        first = await shop.keep("topups", body)
        second = await shop.keep("topups", body)
        done = await shop.run(first)
        late = await shop.run(second)
        third = await shop.keep("topups", body.replace(b"25", b"26"))

        assert [fate.column for fate in first.shown] == [
            "", "", "reference", "account", "amount", "reference",
        ]  # fmt: skip
        assert counted(done.outcome)["new"] == 2
        assert counted(late.outcome)["unchanged"] == 2
        assert third.shown[0].reason == "This reference credited 25.00 before."
        assert await shop.desk.spendable("alice") == parse_amount("130")
        assert await shop.desk.proved()


async def test_two_starts_at_once_run_once_and_a_dead_run_goes_on_behind_what_it_did(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    rows = b"".join(b"a%04d,USD,1\n" % number for number in range(150))
    async with _shop(engine, tmp_path) as shop:
        upload = await shop.keep("accounts", b"account,currency,opening_balance\n" + rows)
        started = await asyncio.gather(*(shop.importer.uploads.start(upload) for _ in range(3)))
        assert sum(started) == 1
        dying = replace(
            shop.importer, uploads=_Dying(engine=engine, clock=shop.desk.clock, key=KEY)
        )
        with pytest.raises(asyncio.CancelledError):
            await dying.run(await shop.find(upload.id), ["USD"], OLGA)
        half = await shop.find(upload.id)
        assert (half.state, half.position) == ("running", 100)
        assert not await shop.importer.uploads.start(upload)
        shop.desk.clock.advance(61)
        done = await shop.run(upload)

        total = await shop.desk.wallet.list_accounts(limit=500)
        assert (done.state, done.position) == ("done", 150)
        assert sum(account.posted for account in total) == parse_amount("250")
        assert await shop.desk.proved()


class _Dying(Uploads):
    """A store whose process is killed while the second chunk is written."""

    async def advance(
        self, connection: AsyncConnection, upload: Upload, *, position: int, done: Sequence[Fate]
    ) -> bool:
        if position:
            raise asyncio.CancelledError
        return await super().advance(connection, upload, position=position, done=done)


async def test_nobody_else_finds_an_upload_and_it_expires(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    async with _shop(engine, tmp_path) as shop:
        upload = await shop.keep("accounts", FILE)
        store = shop.importer.uploads
        async with engine.connect() as connection:
            others = [
                await store.find(connection, upload.id, login="petra", session="s"),
                await store.find(connection, upload.id, login="olga", session="t"),
                await store.find(connection, "x", login="olga", session="s"),
            ]
            shop.desk.clock.advance(3_601)
            late = await store.find(connection, upload.id, login="olga", session="s")

        assert others == [None, None, None]
        assert late is None


async def test_what_is_exported_imports_as_unchanged(engine: AsyncEngine, tmp_path: Path) -> None:
    async with _shop(engine, tmp_path) as shop:
        await shop.run(await shop.keep("accounts", FILE))
        async with engine.connect() as connection:
            rows = await exported(connection, await shop.desk.wallet.list_accounts())
        sheet = (await shop.keep("accounts", write_sheet([EXPORTED, *rows]))).shown
        text = await export(engine, shop.desk.clock)
        catalog = (await shop.keep("catalog", text.encode())).shown

        assert {fate.what for fate in sheet} == {"unchanged"}
        assert len(sheet) == 3
        assert [fate.what for fate in catalog] == ["unchanged"]


CATALOG = """currency: USD
tariffs:
  standard: {tiers: [{price: 0.50/min}]}
clients:
  acme:
    title: Acme
    split: {provider: 30%, client: 70%}
    dids:
      "18005550100":
        timezone: UTC
        tariff: standard
        topics: {1: {name: Billing, destination: "demo:agent"}}
"""


async def test_a_catalog_is_shown_by_a_transaction_that_is_rolled_back_and_applied_as_shown(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    async with _shop(engine, tmp_path) as shop:
        upload = await shop.keep("catalog", CATALOG.encode())
        assert ("client acme", "new") in [(fate.subject, fate.what) for fate in upload.shown]
        assert (await shop.keep("catalog", CATALOG.encode())).shown == upload.shown
        done = await shop.run(upload)
        dearer = await shop.keep("catalog", CATALOG.replace("0.50", "0.60").encode())
        assert [fate.subject for fate in dearer.shown if fate.acts] == ["tariff standard"]
        other = await shop.keep("catalog", CATALOG.replace("Acme", "Acme Two").encode())
        await shop.run(other)
        stale = await shop.keep("catalog", CATALOG.replace("Acme", "Acme Three").encode())
        await shop.run(await shop.keep("catalog", CATALOG.encode()))
        refused = await shop.run(stale)

        assert done.state == "done"
        assert [fate.what for fate in refused.outcome] == ["refused"]


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        (CATALOG.replace("30%", "40%"), 0, "split"),
        (CATALOG.replace("price: 0.50/min", "price: x"), 3, "tariffs.standard.tiers[0].price"),
        ("a: [", 1, "file"),
    ],
)
async def test_mistakes_of_a_catalog_keep_line_and_field(
    engine: AsyncEngine, tmp_path: Path, text: str, line: int, field: str
) -> None:
    async with _shop(engine, tmp_path) as shop:
        fates = await shop.importer.look("catalog", text.encode(), "catalog.yaml", [])

        assert {fate.what for fate in fates} == {"refused"}
        assert field in fates[0].column
        assert not line or fates[0].line == line
