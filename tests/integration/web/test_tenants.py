"""Nobody sees rows of others: every page and every operation, as every role, with foreign ids."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from billing.domain.plans import Plan
from billing.subscriptions import Subscriptions
from ivr.web.api.gate import BASE
from ivr.web.api.table import OPERATIONS
from ivr.web.app import PAGES, make_web
from ivr.web.guard import Page
from ivr.web.scope import Role
from tests.plans import Shop
from tests.site import Site, browser, csrf_of, served

VISITORS = {
    "olga": (Role.OPERATOR, None),
    "acme": (Role.CLIENT, "acme"),
    "globex": (Role.CLIENT, "globex"),
    "alice": (Role.CALLER, "alice"),
    "bob": (Role.CALLER, "bob"),
    "topco": (Role.RESELLER, "topco"),
    "elseco": (Role.RESELLER, "elseco"),
    "rolf": (Role.REFERRER, "rolf"),
}
# Everything below belongs to acme, which is under topco, and to alice; these have nothing to do
# with it.
STRANGERS = ("globex", "bob", "elseco", "rolf")
SECRETS = ("alice", "Acme Secret Topic", "18005550100")


@dataclass(frozen=True)
class Foreign:
    """Ids that belong to acme and alice."""

    call_id: str
    live_id: str
    callback: str
    alarm: str

    def fill(self, path: str) -> str:
        live = "/hangup" in path or "/live/" in path
        path = re.sub(r"\{call_id:[^}]*\}\}?", self.live_id if live else self.call_id, path)
        path = re.sub(r"\{callback:[^}]*\}\}?", self.callback, path)
        path = re.sub(r"\{alarm:[^}]*\}\}?", self.alarm, path)
        path = re.sub(r"\{file:[^}]*\}", "csv", path)
        path = re.sub(r"\{kind:[^}]*\}", "message", path)
        path = re.sub(r"\{client:.*\}", "acme/en/secret", path)
        path = re.sub(r"\{client_code:[^}]*\}", "acme", path)
        path = re.sub(r"\{party_kind:[^}]*\}", "client", path)
        path = re.sub(r"\{party_code:[^}]*\}", "acme", path)
        path = re.sub(r"\{number:[^}]*\}\}?", "18005550100", path)
        path = re.sub(r"\{digit:[^}]*\}", "1", path)
        path = re.sub(r"\{language:.*\}", "en/greeting", path)
        return re.sub(r"\{(code|account|subscription):[^}]*\}", "alice", path)


async def fill_site(site: Site) -> Foreign:
    await site.parties()
    call_id = await site.call(topic="Acme Secret Topic")
    await site.call(account="bob", client="globex", topic="Own")
    live_id = site.ring(topic="Acme Secret Topic")
    plans = Subscriptions(engine=site.desk.engine, clock=site.desk.clock)
    await Shop(desk=site.desk, plans=plans).offer(Plan(name="free", currency="USD", price=0))
    await plans.subscribe("alice", "free")
    await site.sound(call_id)
    await site.own_prompt("acme", "secret")
    await site.topic("Acme Secret Topic")
    await site.opened("acme")
    callback = await site.callback()
    alarm = await site.alarm()
    return Foreign(call_id=call_id, live_id=live_id, callback=callback, alarm=alarm)


def _roles_of(page: Page) -> frozenset[Role]:
    """Roles may share an address, each with a page of its own."""
    same = (each.roles for each in PAGES if (each.method, each.path) == (page.method, page.path))
    return frozenset().union(*same)


def test_the_walk_knows_every_route(site: Site):
    app = make_web(site.deps)
    public = {
        "/", "/login", "/login/code", "/login/pin", "/login/pin/code",
        "/healthz", "/readyz", "/metrics", "/static/{hash}/{name}",
        f"{BASE}/openapi.json", f"{BASE}/problems", "/language/{language}",
    }  # fmt: skip
    walked = {re.sub(r":[^{}]*(\{[^{}]*\})?\}", "}", page.path) for page in PAGES}
    walked |= {re.sub(r":[^{}]*(\{[^{}]*\})?\}", "}", BASE + row.path) for row in OPERATIONS}

    served_paths = {resource.canonical for resource in app.router.resources()}

    assert served_paths == public | walked


@pytest.mark.parametrize("stranger", ["", *VISITORS])
async def test_every_page_answers_every_role_only_what_is_its_own(
    site_of_both: Site, stranger: str
):
    site = site_of_both
    foreign = await fill_site(site)
    wrong: list[str] = []
    async with served(site) as server, browser(server, stranger) as client:
        csrf = csrf_of(await (await client.get("/")).text()) if stranger else ""
        # Logging out would end the walk.
        for page in (page for page in PAGES if page.path != "/logout"):
            path = foreign.fill(page.path)
            answer = await client.request(
                page.method,
                path,
                allow_redirects=False,
                data={"csrf": csrf} if page.method == "POST" else None,
            )
            body = (await answer.read()).decode(errors="replace")
            status = answer.status
            if not stranger:
                expected = status == 303 and answer.headers["Location"].startswith("/")
            elif VISITORS[stranger][0] not in _roles_of(page):
                expected = status == 403
            elif stranger in STRANGERS and path != page.path:
                expected = status == 404
            else:
                # Nothing sent says what it was made from: 409.
                expected = status in {200, 303, 409, 422}
            leaks = [secret for secret in SECRETS if secret in body and stranger in STRANGERS]
            if not expected or leaks:
                wrong.append(f"{page.method} {path} answers {status} {leaks}")

    assert not wrong


@pytest.mark.parametrize("stranger", ["", *VISITORS])
async def test_every_operation_answers_every_role_only_what_is_its_own(
    site_of_both: Site, stranger: str
):
    site = site_of_both
    foreign = await fill_site(site)
    token = await site.token(*VISITORS[stranger]) if stranger else ""
    headers = {"Authorization": f"Bearer {token}"} if stranger else {}
    wrong: list[str] = []
    async with served(site) as server, browser(server) as client:
        for operation in OPERATIONS:
            path = foreign.fill(BASE + operation.path)
            body = {"json": {}} if operation.body else {}
            answer = await client.request(operation.method, path, headers=headers, **body)
            text, status = await answer.text(), answer.status
            if not stranger:
                expected = status == 401
            elif VISITORS[stranger][0] not in operation.roles:
                expected = status == 403
            elif stranger in STRANGERS and ("alice" in path or foreign.call_id in path):
                expected = status == 404
            else:
                expected = status in {200, 202, 422}
            leaks = [secret for secret in SECRETS if secret in text and stranger in STRANGERS]
            if not expected or leaks:
                wrong.append(f"{operation.method} {path} answers {status} {leaks}")

    assert not wrong


@pytest.mark.parametrize(
    "query",
    ["?client=acme", "?client=acme&first=2026-01-01&last=2026-12-31", "?account=alice"],
)
async def test_a_filter_opens_no_door(site: Site, server: TestServer, query: str):
    await fill_site(site)
    async with browser(server, "globex") as client:
        bodies = [
            await (await client.get(path + query)).text()
            for path in ("/portal", "/portal.csv", "/portal/calls")
        ]

    # What was typed stands in its field again; what belongs to acme does not appear.
    assert not [body for body in bodies if "18005550100" in body or "Secret" in body]


async def test_a_client_sees_no_balance_of_a_caller(site: Site, server: TestServer):
    call_id = await site.call()
    token = await site.token(Role.CLIENT, "acme")
    async with browser(server, "acme") as client:
        page = await (await client.get(f"/portal/calls/{call_id}")).text()
        answer = await client.get(
            f"{BASE}/calls/{call_id}", headers={"Authorization": f"Bearer {token}"}
        )
        document = await answer.json()

    assert "Balance" not in page
    assert document["balance_before"] is document["balance_after"] is None
    assert document["split"]


async def test_a_caller_sees_no_split(site: Site, server: TestServer):
    call_id = await site.call()
    token = await site.token(Role.CALLER, "alice")
    async with browser(server, "alice") as client:
        page = await (await client.get(f"/account/calls/{call_id}")).text()
        answer = await client.get(
            f"{BASE}/calls/{call_id}", headers={"Authorization": f"Bearer {token}"}
        )
        document = await answer.json()

    assert "Who got what" not in page
    assert "demo:agent" not in page
    assert document["split"] is None
    assert document["lines"]


def test_no_handler_queries_without_a_scope():
    folder = Path(make_web.__code__.co_filename).parent
    direct = [
        path.name
        for path in folder.rglob("*.py")
        if "queries" not in path.parts
        and re.search(r"\bselect\(", path.read_text(encoding="utf-8"))
    ]

    # Who somebody is, and how often it was tried, must be read before there is a scope; the outbox
    # of webhooks has no viewer at all.
    assert sorted(direct) == [
        "login_tries.py", "outbox.py", "parties.py", "pin_sessions.py", "sessions.py",
        "store.py", "tokens.py", "users.py",
    ]  # fmt: skip
