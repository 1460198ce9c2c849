"""Every page and every read of the API on a large installation: p95 of the server's time.

    1,000,000 calls of a year, 100,000 accounts, 50 clients; each GET of each role, TURNS times

The slowest are printed; the floor is what a page may take (150 ms; the goal is 50 ms). A browser's
own time and the network are not in it: the client is in the same process, on loopback.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.storage.engine import create
from ivr.web.api.gate import BASE
from ivr.web.api.table import OPERATIONS
from ivr.web.app import PAGES
from ivr.web.scope import Role
from tests.benchmarks.bench_reports import ALLOWED_MS, BEGIN, WISHED, YEAR_US, prepare
from tests.benchmarks.report import Figure
from tests.postgres import find_binaries, running_postgres
from tests.site import Browser, Site, browser, open_site, served

SIZE = 1_000_000
TURNS = 20
SLOWEST = 6
LOGINS = {Role.OPERATOR: "olga", Role.CLIENT: "client7", Role.CALLER: "caller7"}
# Number 7 of everything: client7's and caller7's.
NAMES = {
    "call_id": "00000000-0000-7000-8000-000000000007",
    "webhook": "00000000-0000-7000-8000-000000000007",
    "file_id": "00000000-0000-7000-8000-000000000007",
    "payout_id": "30000000-0000-7000-8000-000000000007",
    "batch": "50000000-0000-7000-8000-000000000007",
    "payment": "80000000-0000-7000-8000-000000000000",
    "code": "caller7", "account": "caller7", "subscription": "caller7", "client": "client7",
    "client_code": "client7", "owner": "client7", "party_kind": "client", "party_code": "client7",
    "number": "18005550014", "did": "18005550014", "digit": "1", "queue": "support7",
    "tariff": "standard", "plan": "starter", "login": "c7", "language": "en", "file": "csv",
    "form": "csv", "invoice": "INV-2026-000000000000",
}  # fmt: skip
MINUTE_S = 60


def figures(size: int = SIZE) -> list[Figure]:
    """Measure both databases."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{folder}/pages.db"
        found = list(_measured(url, "SQLite", size, Path(folder)))
    if find_binaries() is not None:
        with running_postgres() as server, tempfile.TemporaryDirectory() as folder:
            url = server.create("pages")
            found += _measured(url, "PostgreSQL", size, Path(folder))
    return found


def _measured(url: str, database: str, size: int, folder: Path) -> Iterator[Figure]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        times = runner.run(_run(url, size, folder))
    slowest = sorted(times.items(), key=lambda each: -each[1])
    print(f"  {database}: {len(times)} pages and reads, the median of their p95 is "
          f"{statistics.median(times.values()):.1f} ms")  # fmt: skip
    for name, milliseconds in slowest[:SLOWEST]:
        yield Figure(f"{name}, {database}", milliseconds, "p95 ms allowed", ALLOWED_MS, 1, WISHED)


async def _run(url: str, size: int, folder: Path) -> dict[str, float]:
    engine = create(url)
    try:
        await prepare(engine, size)
        await _count_on(engine)
        async with open_site(engine, folder) as site:
            end_us = int(BEGIN.timestamp() * 1_000_000) + YEAR_US
            site.desk.clock.advance(end_us / 1_000_000 - site.now_us() / 1_000_000 - MINUTE_S)
            for role in (Role.CLIENT, Role.CALLER):
                await site.login(LOGINS[role], role, LOGINS[role])
            return await _walk(site)
    finally:
        await engine.dispose()


async def _count_on(engine: AsyncEngine) -> None:
    """Let PostgreSQL number accounts behind those that were made with numbers of their own."""
    if engine.dialect.name != "postgresql":
        return
    async with engine.begin() as connection:
        for table in ("accounts", "tariff_versions"):
            await connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
                )
            )


async def _walk(site: Site) -> dict[str, float]:
    times: dict[str, float] = {}
    async with served(site) as server:
        for role, login in LOGINS.items():
            token = await site.token(role, None if role is Role.OPERATOR else login)
            async with browser(server, login) as client:
                for page in PAGES:
                    if page.method == "GET" and role in page.roles:
                        await _time(times, client, _filled(page.path), {})
                for operation in OPERATIONS:
                    if operation.method == "GET" and role in operation.roles:
                        headers = {"Authorization": f"Bearer {token}"}
                        path = _filled(BASE + operation.path)
                        await _time(times, client, path, headers, f" ({role.value})")
    return times


def _filled(path: str) -> str:
    return re.sub(
        r"\{(\w+):(?:[^{}]|\{[^{}]*\})*\}", lambda match: NAMES.get(match[1], "none"), path
    )


async def _time(
    times: dict[str, float], client: Browser, path: str, headers: dict[str, str], note: str = ""
) -> None:
    taken = []
    for _ in range(TURNS):
        begun = time.perf_counter()
        answer = await client.get(path, headers=headers, allow_redirects=False)
        await answer.read()
        taken.append((time.perf_counter() - begun) * 1_000)
        if answer.status != 200:
            # What needs something that this installation does not have is not measured.
            print(f"  not measured: {path} answers {answer.status}")
            return
    times[f"GET {path.replace(NAMES['call_id'], 'CALL')}{note}"] = statistics.quantiles(
        taken, n=20
    )[-1]


if __name__ == "__main__":
    for figure in figures():
        print(figure.line(), flush=True)
