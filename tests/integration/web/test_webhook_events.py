"""Events of webhooks: each told once, to those whose business it is, from what was committed."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

from sqlalchemy import update

from billing.alerts import tell_crossings
from billing.card_payments import CardPayments
from billing.domain.operations import AccountRef
from billing.domain.payouts import BankAccount, PayoutTerms
from billing.domain.plans import Meter, Plan
from billing.domain.usage import UsageEvent
from billing.money import parse_amount
from billing.payouts import Payouts
from billing.subscriptions import Subscriptions, call_allowances
from billing.usage import Metering
from ivr.tables import calls
from ivr.web.api.page import VERIFY
from ivr.web.webhooks import outbox
from ivr.web.webhooks.endpoints import Endpoint, Whose, add_endpoint, change_endpoint
from ivr.web.webhooks.events import EVENTS, Owner, events_for
from ivr.web.webhooks.sender import Sender, signature
from ivr.web.webhooks.sources import SOURCES
from tests.books import STANDARD
from tests.plans import Shop
from tests.site import Site

URL = "https://hooks.example.com/talkmeter"
TEN_MINUTES = Plan(
    name="ten",
    currency="USD",
    price=0,
    meters=(Meter(unit="minutes", included=600 * 1_000_000, alerts=(80, 90, 100)),),
)


async def _hook(site: Site, *events: str, whose: Whose | None = None) -> Endpoint:
    hook, _ = await add_endpoint(
        site.desk.engine,
        whose or Whose(),
        URL,
        clock=site.desk.clock,
        events=events,
        low_balance=parse_amount("90"),
    )
    site.desk.clock.advance(1)
    return hook


async def _told(site: Site, hook: Endpoint) -> list[dict[str, Any]]:
    """Collect twice, with time between: nothing may come a second time."""
    for _ in range(2):
        await outbox.collect(site.desk.engine, clock=site.desk.clock)
        site.desk.clock.advance(60)
    rows = await outbox.list_deliveries(site.desk.engine, hook.id)
    return [json.loads(row["body"]) for row in reversed(rows)]


def test_every_event_has_a_source_and_a_sample():
    assert set(SOURCES) == set(EVENTS)
    assert all(event.sample and event.owners for event in EVENTS.values())


def test_the_installation_may_be_told_of_everything():
    assert {event.name for event in events_for(Owner.INSTALLATION)} == set(EVENTS)


async def test_money_that_comes_in_is_told_once_to_the_caller_and_to_the_installation(
    site_of_both: Site,
):
    site = site_of_both
    ours = await _hook(site, "topup.received")
    alices = await _hook(site, "topup.received", whose=Whose(account="alice"))
    for account in ("alice", "bob"):
        for _ in range(2):
            await site.desk.wallet.top_up(
                account, parse_amount("25"), key=f"k-{account}", actor="olga", memo="Bank"
            )

    told, hers = await _told(site, ours), await _told(site, alices)

    assert {each["data"]["account"]: each["data"]["amount"] for each in told} == {
        "alice": "25.00", "bob": "25.00",
    }  # fmt: skip
    assert len(told) == 2
    assert hers == [each for each in told if each["data"]["account"] == "alice"]
    assert hers[0]["data"]["balance"] == "125.00"


async def test_a_balance_that_falls_below_is_told_each_time_it_falls(site_of_both: Site):
    site = site_of_both
    hook = await _hook(site, "balance.low")
    await site.call(talk_seconds=2)  # 100 - 5.017
    first = await _told(site, hook)
    await site.call(talk_seconds=2)  # below 90
    await site.call(talk_seconds=2)  # still below
    second = await _told(site, hook)
    await site.desk.wallet.top_up("alice", parse_amount("20"), key="k", actor="olga")
    for _ in range(4):
        await site.call(talk_seconds=2)
    third = await _told(site, hook)

    assert [len(told) for told in (first, second, third)] == [0, 1, 2]
    assert second[0]["data"]["below"] == "90.00"
    assert parse_amount(third[1]["data"]["spendable"]) < parse_amount("90")
    assert third[0]["id"] != third[1]["id"]


async def test_a_client_is_told_no_balance_and_a_caller_no_split(site_of_both: Site):
    site = site_of_both
    hooks = [
        await _hook(site, "call.ended", whose=whose)
        for whose in (Whose(client="acme"), Whose(account="alice"), Whose())
    ]
    call_id = await site.call()
    await _close(site)

    clients, callers, ours = [(await _told(site, hook))[0] for hook in hooks]

    assert clients["id"] == callers["id"] == ours["id"] == call_id
    assert clients["data"]["balance_after"] is clients["data"]["balance_before"] is None
    assert clients["data"]["split"]
    assert callers["data"]["split"] is None
    assert callers["data"]["balance_after"] == ours["data"]["balance_after"] == "94.475"
    assert set(ours["data"]) == set(EVENTS["call.ended"].sample)


async def _close(site: Site) -> None:
    async with site.desk.engine.begin() as connection:
        await connection.execute(update(calls).values(closed_us=site.now_us()))


async def test_calls_alone_cross_the_alerts_of_a_plan(site_of_both: Site):
    site = site_of_both
    hook = await _hook(site, "usage.threshold", whose=Whose(account="alice"))
    await _subscribe(site)
    await _talk(site, "one", 300)
    before = await _crossings(site), await _told(site, hook)
    await _talk(site, "two", 200)
    crossed = await _crossings(site), await _crossings(site)
    after = await _told(site, hook)
    await _talk(site, "three", 60)
    await _crossings(site)

    assert before == (0, [])
    assert crossed == (1, 0)
    assert [each["data"]["percent"] for each in after] == [80]
    assert sorted(each["data"]["percent"] for each in await _told(site, hook)) == [80, 90]


async def test_what_calls_crossed_before_a_renewal_is_told_after_it(site_of_both: Site):
    site = site_of_both
    hook = await _hook(site, "usage.threshold")
    plans = await _subscribe(site)
    await _talk(site, "one", 500)
    site.desk.clock.advance(32 * 86_400)
    await plans.run_cycles()

    told = await _told(site, hook)

    assert [(each["data"]["cycle"], each["data"]["percent"]) for each in told] == [(0, 80)]


async def test_events_and_calls_together_tell_each_percentage_once(site_of_both: Site):
    site = site_of_both
    hook = await _hook(site, "usage.threshold")
    await _subscribe(site)
    await _talk(site, "one", 300)
    event = UsageEvent(
        key="1", account="alice", type="minutes", units=parse_amount("3.5"), at_us=site.now_us()
    )
    await Metering(engine=site.desk.engine, clock=site.desk.clock).record([event])
    await _talk(site, "two", 30)
    await _crossings(site)

    assert sorted(each["data"]["percent"] for each in await _told(site, hook)) == [80, 90]


async def _subscribe(site: Site) -> Subscriptions:
    plans = Subscriptions(engine=site.desk.engine, clock=site.desk.clock)
    await Shop(desk=site.desk, plans=plans).offer(TEN_MINUTES)
    await plans.subscribe("alice", "ten")
    return plans


async def _talk(site: Site, name: str, seconds: int) -> None:
    """Let a call draw so many seconds of alice's plan."""
    desk = site.desk
    cover = await call_allowances(desk.engine, "alice", site.now_us())
    terms = replace(await desk.terms(name, "alice", STANDARD), cover=cover)
    grant = await desk.charging.open(terms, slice_seconds=seconds, expires_seconds=9_999)
    begun_us = site.now_us()
    desk.clock.advance(seconds)
    await desk.charging.settle(
        terms,
        talk_us=seconds * 1_000_000,
        granted_seconds=grant.seconds,
        covered_seconds=grant.covered_seconds,
        started_us=begun_us,
        ended_us=site.now_us(),
        evidence="ami",
    )


async def _crossings(site: Site) -> int:
    since_us = site.now_us() - 3_600_000_000
    return await tell_crossings(site.desk.engine, site.desk.clock, since_us=since_us)


async def test_a_payout_that_was_approved_is_due(site_of_both: Site):
    site = site_of_both
    hooks = [
        await _hook(site, "payout.due", whose=whose)
        for whose in (Whose(client="acme"), Whose(client="globex"), Whose())
    ]
    use = Payouts(engine=site.desk.engine, clock=site.desk.clock)
    bank = BankAccount(name="Acme", iban="DE89370400440532013000", bic="")
    await use.set_terms("client", "acme", PayoutTerms(hold_back_days=0, minimum=0, bank=bank))
    await site.call(talk_seconds=60)
    party = AccountRef(kind="client", code="acme", currency="USD")
    payout = await use.request(party, key="k", actor="acme", amount=parse_amount("3"))
    requested = [await _told(site, hook) for hook in hooks]
    await use.approve(payout.id, actor="olga")
    await use.pay(payout.id, actor="olga")

    acme, globex, ours = [await _told(site, hook) for hook in hooks]

    assert requested == [[], [], []]
    assert [each["data"]["amount"] for each in acme] == ["3.00"]
    assert globex == []
    assert [each["id"] for each in ours] == [payout.id]


async def test_a_card_that_is_refused_is_told_to_its_owner_and_the_installation(
    site_of_both: Site,
):
    site = site_of_both
    hooks = [
        await _hook(site, "payment.failed", whose=whose)
        for whose in (Whose(account="alice"), Whose(account="bob"), Whose())
    ]
    cards = CardPayments(engine=site.desk.engine, clock=site.desk.clock)
    refused = await cards.begin("alice", parse_amount("25"), key="refused")
    left = await cards.begin("alice", parse_amount("30"), key="left")
    site.desk.clock.advance(1)
    await cards.fail(refused.id, "card_declined")
    await cards.fail(left.id, "the page expired", state="expired")

    told = [await _told(site, hook) for hook in hooks]

    assert [[each["id"] for each in one] for one in told] == [[refused.id], [], [refused.id]]
    sample = EVENTS["payment.failed"].sample
    assert told[0][0]["data"] == sample


async def test_an_alarm_that_goes_on_is_told_to_the_installation(site_of_both: Site):
    site = site_of_both
    hook = await _hook(site, "alarm.raised")
    alarm = await site.alarm()

    (told,) = await _told(site, hook)

    assert told["id"] == told["data"]["alarm_id"] == alarm
    assert set(told["data"]) == set(EVENTS["alarm.raised"].sample)


async def test_an_event_that_is_new_to_a_webhook_is_told_from_then_on(site_of_both: Site):
    site = site_of_both
    hook = await _hook(site, "alarm.raised")
    await site.desk.wallet.top_up("alice", parse_amount("1"), key="before", actor="olga")
    site.desk.clock.advance(1)
    await change_endpoint(site.desk.engine, hook, clock=site.desk.clock, events=["topup.received"])
    site.desk.clock.advance(1)
    await site.desk.wallet.top_up("alice", parse_amount("2"), key="after", actor="olga")

    assert [each["data"]["amount"] for each in await _told(site, hook)] == ["2.00"]


async def test_two_services_that_collect_at_once_make_one_delivery(site_of_both: Site):
    site = site_of_both
    hook = await _hook(site, "topup.received")
    for number in range(5):
        await site.desk.wallet.top_up("alice", parse_amount("1"), key=f"{number}", actor="olga")

    await asyncio.gather(
        *(outbox.collect(site.desk.engine, clock=site.desk.clock) for _ in range(3))
    )

    assert len(await outbox.list_deliveries(site.desk.engine, hook.id)) == 5


async def test_the_service_looks_for_crossings_of_calls(site: Site):
    await _subscribe(site)
    await _talk(site, "one", 500)
    sender = Sender(site.desk.engine, site.desk.clock, allow_private=False)

    assert [await sender.find_crossings(), await sender.find_crossings()] == [1, 0]


def test_the_published_check_takes_what_we_sign_and_nothing_else():
    names: dict[str, Any] = {}
    exec(VERIFY, names)
    now = time.time()
    endpoint = Endpoint(
        id="1", client=None, account=None, url=URL, secret="new", old_secret="old",
        old_until_us=int((now + 60) * 1_000_000), events=(), low_balance=0, enabled=True,
        failing_us=None, off_reason=None, created_us=0,
    )  # fmt: skip
    header = signature(endpoint, int(now), "{}", now_us=int(now * 1_000_000))
    stale = signature(endpoint, int(now) - 400, "{}", now_us=int(now * 1_000_000))

    assert names["is_ours"]("new", header, b"{}")
    assert names["is_ours"]("old", header, b"{}")
    assert not names["is_ours"]("other", header, b"{}")
    assert not names["is_ours"]("new", header, b"{ }")
    assert not names["is_ours"]("new", stale, b"{}")
