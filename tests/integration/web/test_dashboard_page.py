"""The pulse of the lines and the board of the queues, for operators and for clients."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import insert

from billing.ids import new_id
from ivr.tables import calls
from ivr.telephony import QueueAgent, QueueCaller, QueueNow
from ivr.web.queries.board import QueueDay, waited_us
from ivr.web.queries.pulse import DaySold, month_before, sums
from ivr.web.scope import Role
from tests.site import DIDS, NO_CALL, Site, browser, csrf_of, served, text_of


async def test_the_first_page_ticks_and_tells_how_the_hour_and_the_day_go(site: Site):
    await site.call()
    await site.call(talk_seconds=0)
    site.ring()
    async with served(site) as server, browser(server, "olga") as olga:
        page = await (await olga.get("/admin")).text()
        fragment = await (await olga.get("/admin/pulse")).text()

    text = text_of(fragment)
    assert 'hx-get="/admin/pulse"' in page
    assert "Calls within the hour 2" in text
    assert "Paid calls today 1" in text
    assert "Unanswered today 1 50%" in text
    assert "Revenue today" in text
    assert "Live calls 1 1 talking" in text
    assert fragment.count('class="bar-group"') == 60 + 14


async def test_alarms_stand_on_top_until_somebody_looks_after_them(site: Site):
    await site.alarm()
    async with served(site) as server, browser(server, "olga") as olga:
        before = await (await olga.get("/admin")).text()
        page = await (await olga.get("/admin/alarms")).text()
        path = page.split('action="')[1:]
        target = next(part.split('"')[0] for part in path if "/acknowledge" in part)
        await olga.post(target, data={"csrf": csrf_of(page)})
        after = await (await olga.get("/admin")).text()

    assert "earns many times the usual" in before
    assert "earns many times the usual" not in after


async def test_a_client_has_the_same_for_its_own_calls(site: Site):
    await site.call()
    await site.call(client="globex", account="bob")
    async with served(site) as server, browser(server, "acme") as acme:
        text = text_of(await (await acme.get("/portal/today")).text())

    assert "Calls within the hour 1" in text
    assert "Paid calls today 1" in text
    assert "Paid in today" not in text


async def test_viewers_share_a_read_and_see_the_new_after_some_seconds(site: Site):
    async with served(site) as server, browser(server, "olga") as olga:
        await olga.get("/admin/pulse")
        await site.call(talk_seconds=0)
        site.desk.clock.advance(11)
        text = text_of(await (await olga.get("/admin/pulse")).text())

    assert "Calls within the hour 1" in text


def day(number: int, gross: int, *, month: int = 3, currency: str = "USD") -> DaySold:
    return DaySold(
        day=date(2026, month, number), currency=currency, calls=1, talk_us=1, billed_seconds=1,
        gross=gross,
    )  # fmt: skip


def test_days_are_compared_with_the_same_days_of_before():
    rows = [
        day(4, 5), day(4, 9, currency="EUR"), day(1, 2), day(25, 3, month=2), day(4, 7, month=2),
        day(5, 100, month=2),
    ]  # fmt: skip

    found = sums(rows, "USD", date(2026, 3, 4))

    assert (found.today, found.week_ago, found.month, found.month_before) == (5, 3, 7, 7)


@pytest.mark.parametrize(
    ("today", "last"), [("2026-03-31", "2026-02-28"), ("2026-03-04", "2026-02-04")]
)
def test_a_short_month_has_no_thirty_first(today: str, last: str):
    first, until = month_before(date.fromisoformat(today))

    assert until == date.fromisoformat(last)
    assert first == until.replace(day=1)
    assert until - first < timedelta(days=31)


async def queue_call(site: Site, *, waits: int, answered: bool, reason: str = "x") -> None:
    at, second = site.now_us(), 1_000_000
    row = {
        "id": new_id(site.desk.clock), "node": "n", "boot": "b", "channel": "c", "uniqueid": "u",
        "did": DIDS["acme"], "client": "acme", "caller": "1", "state": "ended",
        "started_us": at, "destination": "queue:network", "end_reason": reason,
        "answered_us": at + (2 + waits) * second if answered else None,
        "timeline": f'[[{at + 2 * second}, "waiting"], [{at + (2 + waits) * second}, "ended"],'
        f' [{at + 3 * second}, "held", 15]]',
    }  # fmt: skip
    async with site.desk.engine.begin() as connection:
        await connection.execute(insert(calls), row)


async def test_the_board_tells_who_waits_who_answers_and_how_today_went(site_of_both: Site):
    site = site_of_both
    await site.staffed_queue("network", agents=("anna", "bill"))
    await queue_call(site, waits=10, answered=True)
    await queue_call(site, waits=50, answered=True)
    await queue_call(site, waits=30, answered=False, reason="caller_hung_up")
    await queue_call(site, waits=30, answered=False, reason="no_agent")
    call = site.ring(state="waiting", uniqueid="7.1")
    site.queues.now["network"] = QueueNow(
        callers=(QueueCaller(uniqueid="7.1", position=1, waits_seconds=42),),
        agents=(QueueAgent(member="acme.anna", state="talking", calls=3),),
    )
    async with served(site) as server, browser(server, "acme") as acme:
        page = await (await acme.get("/portal/board")).text()
        tick = await (await acme.get("/portal/board/now")).text()

    text = text_of(tick)
    assert f'href="/portal/live/{call}"' in page
    assert "Longest wait now 0:42 Answered today 2 Abandoned today 1 1 found nobody" in text
    assert "Average wait today 0:30 longest 0:50" in text
    assert "Answered within 20 s 25%" in text
    assert "anna Talks bill Not reachable" in text


async def test_clients_see_their_own_queues_only(site: Site):
    await site.staffed_queue("network")
    async with served(site) as server, browser(server, "globex") as globex:
        text = text_of(await (await globex.get("/portal/board")).text())

    assert "network" not in text
    assert "There are no queues yet" in text


async def test_a_board_without_asterisk_says_so_and_shows_the_rest(site: Site):
    await site.staffed_queue("network")
    site.queues.down = True
    async with served(site) as server, browser(server, "olga") as olga:
        text = text_of(await (await olga.get("/admin/board")).text())

    assert "Asterisk does not answer" in text
    assert "network" in text


async def test_somebody_who_waits_for_nobody_is_shown_loudly(site: Site):
    await site.staffed_queue("network", agents=("anna",))
    site.queues.now["network"] = QueueNow(
        callers=(QueueCaller(uniqueid="9.9", position=1, waits_seconds=5),),
        agents=(QueueAgent(member="acme.anna", state="paused", calls=0),),
    )
    async with served(site) as server, browser(server, "olga") as olga:
        text = text_of(await (await olga.get("/admin/board")).text())

    assert "Somebody waits and no agent takes calls." in text


async def test_the_api_lists_queues_of_ones_own(site: Site):
    await site.staffed_queue("network", agents=("anna",))
    token = await site.token(Role.CLIENT, "acme")
    async with served(site) as server, browser(server) as client:
        answer = await client.get(
            "/api/v1/live/queues", headers={"Authorization": f"Bearer {token}"}
        )
        body = await answer.json()

    assert [queue["name"] for queue in body["items"]] == ["network"]
    assert body["items"][0]["agents"] == [{"code": "anna", "state": "unreachable", "calls": 0}]


def test_a_day_without_calls_has_no_share():
    assert QueueDay().service_level is None
    assert QueueDay().average_seconds is None
    assert waited_us("[]", None) is None


async def test_a_talk_is_listened_to_with_a_reason_which_is_written_down(site: Site):
    call_id = site.ring(listen_told=True)
    async with served(site) as server, browser(server, "acme") as acme:
        page = await (await acme.get(f"/portal/live/{call_id}")).text()
        form = {"csrf": csrf_of(page), "phone": "own", "why": "a complaint"}
        answer = await acme.post(f"/portal/live/{call_id}/listen", data=form)
        text = text_of(await answer.text())
        without = await acme.post(f"/portal/live/{call_id}/listen", data={**form, "why": ""})
        free = await acme.post(
            f"/portal/live/{call_id}/listen", data={**form, "phone": "sip:x@198.51.100.1"}
        )

    assert "The phone rings now" in text
    assert site.listening.heard == [(call_id, "acme", "a complaint")]
    assert (without.status, free.status) == (422, 422)


async def test_without_a_rule_there_is_no_listening_whatever_is_sent(site: Site):
    call_id = site.ring()
    async with served(site) as server, browser(server, "olga") as olga:
        page = await (await olga.get(f"/admin/live/{call_id}")).text()
        form = {"csrf": csrf_of(page), "phone": "own", "why": "curious"}
        answer = await olga.post(f"/admin/live/{call_id}/listen", data=form)

    assert "Not allowed here" in page
    assert answer.status == 422
    assert not site.listening.heard


async def test_a_client_cannot_listen_to_calls_of_others(site: Site):
    call_id = site.ring(listen_told=True)
    async with served(site) as server, browser(server, "globex") as globex:
        page = await (await globex.get("/portal/live")).text()
        form = {"csrf": csrf_of(page), "phone": "own", "why": "curious"}
        answer = await globex.post(f"/portal/live/{call_id}/listen", data=form)

    assert answer.status == 404
    assert NO_CALL not in page
