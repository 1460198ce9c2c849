"""Every page and every read of the API on a large installation: p95 of the server's time.

    each GET of each role, with 1,000,000 calls of a year, 100,000 accounts and all around (`large`)

The slowest are printed, with their medians: on a machine that others use, too, these say more. The
floor is what a page may take (150 ms; the goal is 50 ms). A browser's
own time and the network are not in it: the client is in the same process, on loopback. Of a file
that is made while it is sent, it is the time to its first bytes.
"""

from __future__ import annotations

import asyncio
import math
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
from ivr.cli.serve import rest_the_collector
from ivr.web.api.gate import BASE
from ivr.web.api.table import OPERATIONS
from ivr.web.app import PAGES
from ivr.web.scope import Role
from tests.benchmarks.large import ALLOWED_MS, END_US, WISHED, prepare
from tests.benchmarks.report import Figure
from tests.postgres import find_binaries, running_postgres
from tests.site import Browser, Site, browser, open_site, served

SIZE = 1_000_000
# A page is asked for about so long, but so often at least and at most.
SECONDS, TURNS_MIN, TURNS_MAX = 0.6, 3, 20
# What takes longer is not waited for: the benchmark ends whatever a page does.
SECONDS_MAX = 20.0
PREPARED_SECONDS_MAX = 600
SLOWEST, LISTED = 6, 20
LOGINS = {
    Role.OPERATOR: "olga",
    Role.CLIENT: "client7",
    Role.RESELLER: "reseller2",
    Role.CALLER: "caller7",
}
# Lists that are filtered; what few rows match is the hardest to find.
SEARCHES = {
    Role.OPERATOR: (
        "/admin/accounts?below=1", "/admin/accounts?q=caller77", "/admin/accounts?q=20077",
        "/admin/accounts?status=blocked", "/admin/accounts?mode=postpaid&plan=starter",
        "/admin/calls?client=client7", "/admin/calls?account=caller7", "/admin/calls?outcome=free",
        "/admin/calls?outcome=review", "/admin/clients?q=7", "/admin/audit?who=c7",
        "/admin/audit?what=line.change", "/admin/audit?subject=caller7",
        "/admin/payments?state=failed", "/admin/payments?state=owed", "/admin/payouts?status=paid",
        "/admin/report?by=month&first=2025-11-01&last=2026-10-31", "/admin/report?by=agent",
        "/admin/reports?by=client", "/admin/invoices?state=overdue",
        "/admin/invoice?number=INV-2026-000000000000",
        "/admin/invoice.pdf?number=INV-2026-000000000000", f"{BASE}/payouts/payable?client=client7",
        f"{BASE}/usage/quote?account=caller7&type=chat", f"{BASE}/calls?outcome=free",
    ),
    Role.CLIENT: (
        "/portal?by=month&first=2025-11-01&last=2026-10-31", "/portal/calls?outcome=free",
        "/portal/statement?month=2026-03",
    ),
    Role.CALLER: (
        "/account/calls?first=2026-01-01", f"{BASE}/usage/quote?type=chat",
        "/account/receipt.pdf?transfer=10000000-0000-7000-8000-000000061539",
    ),
}  # fmt: skip
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
    "payout": "30000000-0000-7000-8000-000000000007",
    "transfer": "10000000-0000-7000-8000-000000061539", "step": "greeting", "form": "csv",
    "invoice": "INV-2026-000000000000",
}  # fmt: skip
# What is somebody else's for these has their own number 7.
OWN = {
    Role.CALLER: {"webhook": "80000000-0000-7000-8000-000000000007"},
    Role.RESELLER: {"party_kind": "reseller", "party_code": "reseller2", "login": "reseller2"},
}
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
    p95 = {name: taken[math.ceil(len(taken) * 0.95) - 1] for name, taken in times.items()}
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for what, found in (("p95", p95), ("median", medians)):
        late = sum(milliseconds > ALLOWED_MS for milliseconds in found.values())
        slow = sum(milliseconds > ALLOWED_MS * WISHED for milliseconds in found.values())
        print(
            f"  {database}: by their {what}, {late} of {len(found)} pages and reads take more than "
            f"{ALLOWED_MS:.0f} ms, {slow} more than {ALLOWED_MS * WISHED:.0f} ms; half of them "
            f"less than {statistics.median(found.values()):.1f} ms",
            flush=True,
        )
    slowest = sorted(p95, key=lambda name: -p95[name])
    for name in slowest[:LISTED]:
        print(f"  {p95[name]:8.1f} ms p95, {medians[name]:7.1f} ms median: {name}", flush=True)
    for name in slowest[:SLOWEST]:
        yield Figure(f"{name}, {database}", p95[name], "p95 ms allowed", ALLOWED_MS, 1, WISHED)


async def _run(url: str, size: int, folder: Path) -> dict[str, list[float]]:
    await _prepare(url, size)
    engine = create(url)
    try:
        async with open_site(engine, folder) as site:
            site.desk.clock.advance(END_US / 1_000_000 - site.now_us() / 1_000_000 - MINUTE_S)
            for role, login in LOGINS.items():
                if role is not Role.OPERATOR:
                    await site.login(login, role, login)
            rest_the_collector()
            return await _walk(site)
    finally:
        await engine.dispose()


async def _prepare(url: str, size: int) -> None:
    engine = create(url, statement_seconds=PREPARED_SECONDS_MAX)
    try:
        began = time.perf_counter()
        await prepare(engine, size)
        await _count_on(engine)
        kind = engine.dialect.name
        print(f"  {kind}: prepared in {time.perf_counter() - began:.0f} s", flush=True)
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


async def _walk(site: Site) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}
    async with served(site) as server:
        for role, login in LOGINS.items():
            token = await site.token(role, None if role is Role.OPERATOR else login)
            pages = [page.path for page in PAGES if page.method == "GET" and role in page.roles]
            reads = [each for each in OPERATIONS if each.method == "GET" and role in each.roles]
            async with browser(server, login) as client:
                listed = [*pages, *(BASE + each.path for each in reads)]
                for path in (*(_filled(path, role) for path in listed), *SEARCHES.get(role, ())):
                    headers = {"Authorization": f"Bearer {token}"} if path.startswith(BASE) else {}
                    await _time(times, client, path, headers, f" ({role.value})")
    return times


def _filled(path: str, role: Role) -> str:
    names = NAMES | OWN.get(role, {})
    return re.sub(
        r"\{(\w+):(?:[^{}]|\{[^{}]*\})*\}", lambda match: names.get(match[1], "none"), path
    )


async def _time(
    times: dict[str, list[float]], client: Browser, path: str, headers: dict[str, str], note: str
) -> None:
    name = f"GET {re.sub(r'[0-9a-f-]{30,}', 'ID', path)}{note}"
    # The first answer is that of a service that just began: templates and libraries are loaded.
    taken: list[float] = []
    wanted = TURNS_MAX
    while len(taken) <= wanted:
        try:
            async with asyncio.timeout(SECONDS_MAX):
                status, milliseconds = await _ask(client, path, headers)
        except TimeoutError:
            print(f"  {name} takes more than {SECONDS_MAX:.0f} s", flush=True)
            times[name] = [SECONDS_MAX * 1_000]
            return
        if status != 200:
            # What needs something that this installation does not have is not measured.
            print(f"  not measured: {path}{note} answers {status}", flush=True)
            return
        taken.append(milliseconds)
        if len(taken) == 2:
            wanted = min(TURNS_MAX, max(TURNS_MIN, int(SECONDS * 1_000 / milliseconds)))
    times[name] = sorted(taken[1:])


async def _ask(client: Browser, path: str, headers: dict[str, str]) -> tuple[int, float]:
    begun = time.perf_counter()
    answer = await client.get(path, headers=headers, allow_redirects=False)
    if answer.content_length is None:
        await answer.content.readany()
        milliseconds = (time.perf_counter() - begun) * 1_000
        answer.close()
    else:
        await answer.read()
        milliseconds = (time.perf_counter() - begun) * 1_000
    return answer.status, milliseconds


if __name__ == "__main__":
    for figure in figures():
        print(figure.line(), flush=True)
