"""Clients by API: what is agreed, its history, a preview, suspension, limits."""

from __future__ import annotations

from typing import Any

from aiohttp.test_utils import TestServer

from ivr.web.scope import Role
from tests.integration.web.test_lines_api import Caller
from tests.site import Site, browser

PROVIDER = {"party": "provider", "account": "provider", "basis_points": 2000}
NEWCO = {"party": "client", "account": "newco", "basis_points": 8000}
DRAFT: dict[str, Any] = {
    "title": "New Co", "currency": "USD", "shares": [PROVIDER, NEWCO], "countries": ["DE"],
    "referrers": [{"account": "rolf", "basis_points": 1000, "bonus": "5.00"}],
}  # fmt: skip
ONE = "/clients/newco"


async def test_a_client_is_opened_changed_and_every_agreement_kept(site: Site, server: TestServer):
    async with browser(server) as client:
        call = Caller(client, await site.token(Role.OPERATOR))
        absent, _ = await call("GET", ONE)
        made, opened = await call("PUT", ONE, version="", **DRAFT)
        twice, _ = await call("PUT", ONE, version="", **DRAFT)
        fee = DRAFT | {"shares": [PROVIDER | {"fixed_fee": "0.25"}, NEWCO]}
        saved, changed = await call("PUT", ONE, version=opened["version"], **fee)
        stale, _ = await call("PUT", ONE, version=opened["version"], **DRAFT)
        same, _ = await call("PUT", ONE, version=changed["version"], **fee)
        _, newest = await call("GET", f"{ONE}/agreements?limit=1")
        _, oldest = await call("GET", f"{ONE}/agreements?after={newest['next']}")
        _, listed = await call("GET", "/clients?q=new")

    assert (absent, made, twice, saved, stale, same) == (404, 201, 409, 200, 409, 200)
    assert (opened["shares"][1]["basis_points"], opened["countries"]) == (8000, ["DE"])
    assert opened["referrers"][0]["starts"] == opened["created_at"]
    assert [one["number"] for one in newest["items"] + oldest["items"]] == [2, 1]
    assert newest["items"][0]["shares"][0]["fixed_fee"] == "0.25"
    assert "0.25" in newest["items"][0]["changes"][0]
    assert [one["client"] for one in listed["items"]] == ["newco"]
    told = (await site.rows("audit_log"))["audit_log"]
    assert sum("open client" in row for row in told) == 1
    assert sum("change client" in row for row in told) == 1


async def test_what_cannot_be_agreed_is_refused_by_name(site: Site, server: TestServer):
    async with browser(server) as client:
        call = Caller(client, await site.token(Role.OPERATOR))
        half = await call("PUT", ONE, version="", **DRAFT | {"shares": [PROVIDER]})
        other = await call(
            "PUT", ONE, version="", **DRAFT | {"shares": [PROVIDER, NEWCO | {"account": "acme"}]}
        )
        money = await call("PUT", "/clients/acme", version="", **DRAFT | {"currency": "EUR"})
        twice = await call("PUT", ONE, version="", **DRAFT | {"referrers": DRAFT["referrers"] * 2})
        backwards = await call(
            "PUT", ONE, version="", **DRAFT | {"referrers": [
                {"account": "rolf", "basis_points": 1, "starts": "2026-03-01",
                 "until": "2026-02-01"},
            ]},
        )  # fmt: skip

    answers = [half, other, money, twice, backwards]
    assert [status for status, _ in answers] == [422] * 5
    assert [problem["code"] for _, problem in answers] == [
        "invalid_shares", "invalid_input", "invalid_input", "invalid_shares", "invalid_shares",
    ]  # fmt: skip
    assert other[1]["errors"][0]["field"] == "shares.1.account"


async def test_a_call_is_divided_by_what_might_be_agreed(site: Site, server: TestServer):
    shares = [PROVIDER | {"fixed_fee": "1.00"}, NEWCO | {"account": "acme"}]
    draft = {"title": "Acme", "currency": "USD", "shares": shares, "amount": "11.00"}
    async with browser(server) as client:
        call = Caller(client, await site.token(Role.OPERATOR))
        _, before = await call("GET", "/clients/acme")
        done, seen = await call("POST", "/clients/acme/preview", **draft)
        _, after = await call("GET", "/clients/acme")

    assert done == 200
    assert [(one["party"], one["before"], one["after"]) for one in seen["parts"]] == [
        ("provider", "3.30", "3.00"), ("client", "7.70", "8.00"),
    ]  # fmt: skip
    assert before == after


async def test_what_is_shown_of_a_client_can_be_sent_back(site: Site, server: TestServer):
    await site.parties()
    async with browser(server) as client:
        call = Caller(client, await site.token(Role.OPERATOR))
        await call("PUT", ONE, version="", **DRAFT)
        answers = []
        for place in (ONE, "/clients/acme"):
            _, shown = await call("GET", place)
            names = ("title", "currency", "shares", "calls_max", "countries", "version")
            body = {name: shown[name] for name in names}
            body["referrers"] = [
                each | {"starts": each["starts"][:10], "until": each["until"][:10]}
                for each in shown["referrers"]
            ]
            done, after = await call("PUT", place, **body)
            answers.append((done, after == shown))
        _, history = await call("GET", f"{ONE}/agreements")

    assert answers == [(200, True), (200, True)]
    assert len(history["items"]) == 1


async def test_a_client_is_suspended_and_limited(site: Site, server: TestServer):
    async with browser(server) as client:
        call = Caller(client, await site.token(Role.OPERATOR))
        _, off = await call("POST", "/clients/acme/suspension", suspended=True, reason="Unpaid")
        await call("POST", "/clients/acme/suspension", suspended=True)
        _, listed = await call("GET", "/clients?state=suspended")
        _, on = await call("POST", "/clients/acme/suspension", suspended=False)
        _, limits = await call("GET", "/clients/acme/limits")
        wanted = {"edit": ["topics"], "price": {"to": "2.00/min"}}
        _, set_ = await call(
            "PUT", "/clients/acme/limits", version=limits["version"], notation=wanted
        )
        wrong, named = await call(
            "PUT", "/clients/acme/limits", version=set_["version"], notation={"edit": ["all"]}
        )
        stranger = Caller(client, await site.token(Role.CLIENT, "acme"))
        forbidden, _ = await stranger("GET", "/clients/acme")

    assert (off["suspended"], on["suspended"]) == (True, False)
    assert [one["client"] for one in listed["items"]] == ["acme"]
    assert set_["notation"]["edit"] == ["topics"]
    assert (wrong, forbidden) == (422, 403)
    assert named["errors"][0]["field"].startswith("edit")
    told = (await site.rows("audit_log"))["audit_log"]
    assert sum("suspend client" in row for row in told) == 1
