"""Nobody sees rows of others: every page and every operation, as every role, with foreign ids."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestServer
from pydantic import BaseModel
from sqlalchemy import insert

from billing.domain.operations import AccountRef
from billing.domain.payouts import BankAccount, PayoutTerms
from billing.domain.plans import Plan
from billing.payout_batches import PayoutBatches
from billing.payouts import Payouts
from billing.storage.invoice_tables import invoices
from billing.storage.payout_tables import payouts
from billing.subscriptions import Subscriptions
from billing.vouchers import Vouchers
from ivr.bulk.uploads import Uploads
from ivr.web import sheets
from ivr.web.api.gate import BASE
from ivr.web.api.places import AGENT, CLIENT
from ivr.web.api.table import OPERATIONS
from ivr.web.app import PAGES, make_web
from ivr.web.guard import Page
from ivr.web.scope import Role
from ivr.web.sessions import hash_token
from ivr.web.webhooks.endpoints import Whose, add_endpoint
from ivr.web.webhooks.outbox import send_test
from tests.books import STANDARD
from tests.plans import Shop
from tests.site import DIDS, NO_CALL, Browser, Site, browser, csrf_of, served

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
FILE = f"{{file:{sheets.KINDS}}}"
SECRETS = ("agnes", "alice", "Acme Secret Topic", "18005550100")
# Those of them that no form below holds: a page shows again what was typed.
UNTYPED = ("Acme Secret Topic",)
# Strangers come first: what they must not change is still there then.
ORDER = ("", *STRANGERS, *(name for name in VISITORS if name not in STRANGERS))
INVOICE = "2026-000001"
URL = "https://hooks.example.com/talkmeter"
# What a form, a query or a body may name: ids of others, and what else makes it whole.
FIELDS = {
    "account": "alice", "code": "alice", "client": "acme", "subject": "acme", "login": "agnes",
    "did": "18005550100", "number": "18005550100", "subscription": "alice", "party": "acme",
    "reseller": "topco", "referrer": "rolf", "agent": "anna", "queue": "acme",
    "name": "secret", "prompt": "secret", "language": "en", "digit": "1", "topic": "1",
    "amount": "1.00", "reason": "a reason", "memo": "a reason", "text": "some words",
    "key": "k" * 20, "action": "delete", "state": "disabled", "status": "blocked",
    "url": "https://example.com/hook", "role": "operator", "rights": "administrator",
    "users": "yes", "money": "yes", "calls": "yes", "lines": "yes", "accounts": "yes",
    "currency": "USD", "plan": "free", "months": "1", "kind": "full", "seconds": "60",
    "version": "",
}  # fmt: skip


@dataclass(frozen=True)
class Foreign:
    """Ids that belong to acme and alice."""

    call_id: str
    live_id: str
    callback: str
    key: str
    alarm: str
    batch: str
    payment: str
    # Of acme, and of alice; each with a delivery.
    webhook: str
    own_webhook: str
    deliveries: dict[str, str]
    payout: str
    file: str
    # A top-up of alice.
    transfer: str
    # Of the operator's token, by kind.
    uploads: dict[str, str]

    @property
    def fields(self) -> dict[str, str]:
        """The same as fields of a form."""
        return {
            "call": self.call_id,
            "call_id": self.call_id,
            "callback": self.callback,
            "key": self.key,
        }

    def only_acmes(self, path: str) -> bool:
        """Whether it is about acme's money, which nobody above or beside it sees."""
        return (
            self.payout in path or f"/payouts/{NO_CALL}" in path or "/parties/client/acme" in path
        )

    def fill(self, path: str) -> str:
        live = "/hangup" in path or "/live/" in path
        path = re.sub(r"\{call_id:[^}]*\}\}?", self.live_id if live else self.call_id, path)
        path = re.sub(r"\{payment:[^}]*\}\}?", self.payment, path)
        path = re.sub(r"\{callback:[^}]*\}\}?", self.callback, path)
        path = re.sub(r"\{alarm:[^}]*\}\}?", self.alarm, path)
        path = re.sub(r"\{batch:[^}]*\}\}?", self.batch, path)
        path = re.sub(r"\{file:[^}]*\}", "csv", path)
        path = re.sub(r"\{key:[^}]*\}\}?", self.key, path)
        path = re.sub(r"\{login:[^}]*\}\}?", "agnes", path)
        path = re.sub(r"\{session:[^}]*\}\}?", "0" * 16, path)
        kind = next((kind for kind in self.uploads if f"/{kind}/" in path), "accounts")
        path = re.sub(r"\{import_id:[^}]*\}\}?", self.uploads[kind], path)
        hook = self.own_webhook if path.startswith("/account") else self.webhook
        path = re.sub(r"\{delivery:[^}]*\}\}?", self.deliveries[hook], path)
        path = re.sub(r"\{webhook:[^}]*\}\}?", hook, path)
        path = re.sub(r"\{payout:[^}]*\}\}?", NO_CALL, path)
        path = re.sub(r"\{invoice:[^}]*\}\}?", INVOICE, path)
        path = path.replace(f"{CLIENT}/{AGENT}", "acme/eve")
        path = re.sub(r"\{agent:[^}]*\}", "anna", path)
        path = re.sub(r"\{serial:[^}]*\}\}", "1", path)
        path = re.sub(r"\{transfer:[^}]*\}\}?", self.transfer, path)
        path = re.sub(r"\{kind:[^}]*\}", "message", path)
        path = re.sub(r"\{client:.*\}", "acme/en/secret", path)
        path = re.sub(r"\{payout_id:[^}]*\}\}?", self.payout, path)
        path = re.sub(r"\{file_id:[^}]*\}\}?", self.file, path)
        path = re.sub(r"\{form:[^}]*\}", "csv", path)
        path = re.sub(r"\{client_code:[^}]*\}", "acme", path)
        path = re.sub(r"\{party_kind:[^}]*\}", "client", path)
        path = re.sub(r"\{party_code:[^}]*\}", "acme", path)
        path = re.sub(r"\{number:[^}]*\}\}?", "18005550100", path)
        path = re.sub(r"\{digit:[^}]*\}", "1", path)
        path = re.sub(r"\{queue:[^}]*\}\}?", "acme-secret", path)
        path = re.sub(r"\{tariff:.*?\}\}", "acme.secret", path)
        path = re.sub(r"\{owner:.*?\}\}", "acme", path)
        path = re.sub(r"\{plan:.*?\}\}", "free", path)
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
    await site.sound(call_id, "talk")
    await site.own_prompt("acme", "secret")
    await site.topic("Acme Secret Topic")
    await site.opened("acme")
    await site.opened("globex")
    await site.queue("acme-secret")
    await site.tariff(replace(STANDARD, name="acme.secret"))
    callback = await site.callback()
    await site.login("agnes", Role.CLIENT, "acme")
    key = hash_token(await site.token(Role.CLIENT, "acme", rights=frozenset()))[:16]
    alarm = await site.alarm()
    await _documents(site)
    vouchers = Vouchers(engine=site.desk.engine, clock=site.desk.clock, secret=b"v" * 32)
    made = await vouchers.generate(amount=1, currency="USD", count=1, actor="olga")
    payout, file = await _paid_out(site)
    paid_in = await site.desk.wallet.top_up("alice", 1_000_000, key="walk", actor="olga")
    return Foreign(
        call_id=call_id,
        live_id=live_id,
        callback=callback,
        key=key,
        alarm=alarm,
        batch=made.batch.id,
        payment=await site.card_payment(),
        **await _webhooks(site),
        payout=payout,
        file=file,
        transfer=paid_in.transfer_id,
        uploads=await _uploads(site),
    )


async def _uploads(site: Site) -> dict[str, str]:
    """Let the operator's token have sent a file of each kind, in which there is nothing to do."""
    store = Uploads(engine=site.desk.engine, clock=site.desk.clock, key=site.deps.web_key)
    files = {
        "accounts": b"account\nalice\n", "topups": b"account,amount,reference\nalice,1,1\n",
        "catalog": b"currency: USD\ntariffs: {}\nclients: {}\n",
    }  # fmt: skip
    return {
        kind: await store.keep(
            kind=kind, login="key operator None", session="", name="file", body=body, shown=()
        )
        for kind, body in files.items()
    }


async def _webhooks(site: Site) -> dict[str, Any]:
    """Let acme and alice have a webhook each, with a delivery."""
    engine, clock = site.desk.engine, site.desk.clock
    hook, _ = await add_endpoint(engine, Whose(client="acme"), URL, clock=clock)
    own, _ = await add_endpoint(engine, Whose(account="alice"), URL, clock=clock)
    sent = {each.id: await send_test(engine, each.id, clock=clock) for each in (hook, own)}
    return {"webhook": hook.id, "own_webhook": own.id, "deliveries": sent}


async def _documents(site: Site) -> None:
    """Let alice have an invoice of one dollar, and acme a payout that was asked for."""
    terms = dict.fromkeys(
        ("terms_days", "late_fee", "late_fee_bp", "grace_days", "early_discount_bp", "early_days"),
        0,
    )
    row = {
        "number": INVOICE, "series": "2026", "year": 2026, "sequence": 1, "account": "alice",
        "currency": "USD", "month": "2026-01", "issued_us": site.now_us(), "due_us": site.now_us(),
        "cycle": "end", "title": "Alice", "address": "", "net": 1_000_000, "tax": 0,
        "total": 1_000_000, **terms,
    }  # fmt: skip
    payout = {
        "id": NO_CALL, "key": "k", "kind": "client", "code": "acme", "currency": "USD",
        "amount": 1_000_000, "status": "requested", "name": "", "iban": "", "bic": "",
        "requested_us": site.now_us(), "requested_by": "acme",
    }  # fmt: skip
    async with site.desk.engine.begin() as connection:
        await connection.execute(insert(invoices), row)
        await connection.execute(insert(payouts), payout)


async def _paid_out(site: Site) -> tuple[str, str]:
    """Let acme have a payout that is in a file for the bank."""
    deps, acme = site.deps, AccountRef(kind="client", code="acme", currency="USD")
    bank = BankAccount(name="Acme", iban="LT121000011101001000")
    use = Payouts(engine=deps.engine, clock=deps.clock)
    await use.set_terms("client", "acme", PayoutTerms(hold_back_days=0, bank=bank))
    site.desk.clock.advance(1)
    payout = await use.request(acme, key="walk", actor="acme", amount=1_000_000)
    await use.approve(payout.id, actor="olga")
    files = PayoutBatches(engine=deps.engine, clock=deps.clock)
    return payout.id, (await files.make("USD", debtor=bank, actor="olga")).id


def _roles_of(page: Page) -> frozenset[Role]:
    """Roles may share an address, each with a page of its own."""
    same = (each.roles for each in PAGES if (each.method, each.path) == (page.method, page.path))
    return frozenset().union(*same)


def test_the_walk_knows_every_route(site: Site):
    app = make_web(site.deps)
    public = {
        "/", "/login", "/login/code", "/login/pin", "/login/pin/code", "/webhooks/stripe",
        "/signup", "/api",
        "/healthz", "/readyz", "/metrics", "/static/{hash}/{name}",
        f"{BASE}/openapi.json", f"{BASE}/problems", "/language/{language}",
    }  # fmt: skip
    walked = {re.sub(r":[^{}]*(\{[^{}]*\})?\}", "}", page.path) for page in PAGES}
    walked |= {re.sub(r":[^{}]*(\{[^{}]*\})?\}", "}", BASE + row.path) for row in OPERATIONS}

    served_paths = {resource.canonical for resource in app.router.resources()}

    assert served_paths == public | walked


async def test_every_page_answers_every_role_only_what_is_its_own(site_of_both: Site):
    site = site_of_both
    foreign = await fill_site(site)
    wrong: list[str] = []
    async with served(site) as server:
        for visitor in ORDER:
            before = await _belongings(site, foreign)
            wrong += [f"{visitor}: {text}" for text in await _walk_pages(server, visitor, foreign)]
            if visitor in STRANGERS and await _belongings(site, foreign) != before:
                wrong.append(f"{visitor} changed what is not its own")
            foreign = await _renewed(site, foreign, visitor)

    assert not wrong


async def _walk_pages(server: TestServer, visitor: str, foreign: Foreign) -> list[str]:
    """Visit every page, then again with ids of others in the form or the query."""
    wrong: list[str] = []
    async with browser(server, visitor) as client:
        csrf = csrf_of(await (await client.get("/")).text()) if visitor else ""
        # Logging out would end the walk.
        for page in (page for page in PAGES if page.path != "/logout"):
            path = foreign.fill(page.path)
            if visitor == "topco":
                # It manages its own logins, not those of the clients under it.
                path = path.replace("agnes", "topco")
            form = {"csrf": csrf}
            answer = await _ask(client, page.method, path, form)
            body, status = (await answer.read()).decode(errors="replace"), answer.status
            if not visitor:
                expected = status == 303 and answer.headers["Location"].startswith("/")
            elif VISITORS[visitor][0] not in _roles_of(page):
                expected = status == 403
            elif (foreign.only_acmes(path) and visitor not in {"acme", "olga"}) or (
                visitor in STRANGERS and path != page.path.replace(FILE, "csv")
            ):
                expected = status == 404
            else:
                # Nothing sent says what it was made from: 409.
                expected = status in {200, 303, 409, 422}
            leaks = _leaks(visitor, body, SECRETS)
            if not expected or leaks:
                wrong.append(f"{page.method} {path} answers {status} {leaks}")
            if visitor in STRANGERS and status != 403:
                answer = await _ask(client, page.method, path, FIELDS | foreign.fields | form)
                leaks = _leaks(visitor, (await answer.read()).decode(errors="replace"), UNTYPED)
                if answer.status >= 500 or leaks:
                    wrong.append(f"{page.method} {path} with ids: {answer.status} {leaks}")
    return wrong


async def _ask(client: Browser, method: str, path: str, form: dict[str, str]) -> ClientResponse:
    ids = {name: text for name, text in form.items() if name != "csrf"}
    if method == "GET":
        return await client.get(path, params=ids, allow_redirects=False)
    return await client.request(method, path, data=form, allow_redirects=False)


def _leaks(visitor: str, body: str, secrets: tuple[str, ...]) -> list[str]:
    return [secret for secret in secrets if visitor in STRANGERS and secret in body]


async def _belongings(site: Site, foreign: Foreign) -> dict[str, list[str]]:
    """Every row that names acme, alice or one of their calls."""
    marks = ("acme", "alice", DIDS["acme"], foreign.call_id, foreign.callback)
    return {
        name: [row for row in rows if any(mark in row for mark in marks)]
        for name, rows in (await site.rows()).items()
    }


async def _renewed(site: Site, foreign: Foreign, visitor: str) -> Foreign:
    """Put back what somebody used up who may."""
    if visitor in STRANGERS or not visitor:
        return foreign
    site.live.calls.clear()
    await site.own_prompt("acme", "secret")
    return replace(
        foreign,
        live_id=site.ring(topic="Acme Secret Topic"),
        callback=await site.callback(),
        **await _webhooks(site),
    )


async def test_every_operation_answers_every_role_only_what_is_its_own(site_of_both: Site):
    site = site_of_both
    foreign = await fill_site(site)
    wrong: list[str] = []
    async with served(site) as server, browser(server) as client:
        for visitor in ORDER:
            token = await site.token(*VISITORS[visitor]) if visitor else ""
            before = await _belongings(site, foreign)
            wrong += [
                f"{visitor}: {text}"
                for text in await _walk_operations(client, visitor, token, foreign)
            ]
            if visitor in STRANGERS and await _belongings(site, foreign) != before:
                wrong.append(f"{visitor} changed what is not its own")
            foreign = await _renewed(site, foreign, visitor)

    assert not wrong


async def _walk_operations(
    client: Browser, visitor: str, token: str, foreign: Foreign
) -> list[str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    wrong: list[str] = []
    if visitor in {"alice", "bob"}:
        foreign = replace(foreign, webhook=foreign.own_webhook)
    for operation in OPERATIONS:
        path = foreign.fill(BASE + operation.path)
        body = {"json": {}} if operation.body else {}
        keyed = headers | {"Idempotency-Key": f"without-{visitor}"}
        answer = await client.request(operation.method, path, headers=keyed, **body)
        text, status = (await answer.read()).decode(errors="replace"), answer.status
        if not visitor:
            expected = status == 401
        elif VISITORS[visitor][0] not in operation.roles:
            expected = status == 403
        elif (visitor in STRANGERS and path != BASE + operation.path) or (
            foreign.only_acmes(path) and visitor not in {"acme", "olga"}
        ):
            # A body that says nothing is refused before it is looked whose it would be.
            expected = status in ({404, 422} if operation.body else {404})
        elif visitor == "topco" and any(
            mark in path for mark in (foreign.key, foreign.call_id, "agnes")
        ):
            # It manages its own keys and logins, not those of its clients; it sees sums, never
            # who called.
            expected = status in ({404, 422} if operation.body else {404})
        else:
            expected = status in {200, 201, 202, 409, 422}
        leaks = _leaks(visitor, text, SECRETS)
        if not expected or leaks:
            wrong.append(f"{operation.method} {path} answers {status} {leaks}")
        if visitor in STRANGERS and status != 403:
            answer = await client.request(
                operation.method,
                path,
                headers=headers | {"Idempotency-Key": "walk-" + visitor},
                params=_sample(operation.query, foreign),
                json=_sample(operation.body, foreign) if operation.body else None,
            )
            leaks = _leaks(visitor, await answer.text(), UNTYPED)
            if answer.status >= 500 or leaks:
                wrong.append(f"{operation.method} {path} with ids: {answer.status} {leaks}")
    return wrong


def _sample(model: type[BaseModel], foreign: Foreign) -> dict[str, object]:
    """Fill the fields of a query or a body that may name something with what is not ours."""
    known: dict[str, object] = {**FIELDS, **foreign.fields, "notation": {"name": "x"}}
    return {name: known[name] for name in model.model_fields if name in known}


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
        "endpoints.py", "login_tries.py", "manage.py", "outbox.py", "parties.py",
        "pin_sessions.py", "sessions.py", "sources.py", "store.py", "tokens.py", "users.py",
    ]  # fmt: skip
