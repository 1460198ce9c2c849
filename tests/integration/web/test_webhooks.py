"""Webhooks against a receiver of our own: signed, once, again until heard, and never inside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import insert, update

from billing.clock import microseconds_of
from billing.errors import InvalidInput
from billing.storage.engine import create
from billing.storage.tables import clients
from ivr.tables import calls
from ivr.web.webhooks import outbox
from ivr.web.webhooks.addresses import Guard
from ivr.web.webhooks.endpoints import (
    Endpoint,
    Whose,
    add_endpoint,
    delete_endpoint,
    list_endpoints,
    rotate_secret,
)
from ivr.web.webhooks.sender import Sender, sign
from ivr.webhook_tables import webhook_endpoints
from tests.books import Desk, open_desk
from tests.migrated import sqlite_url

MINUTE = 60


@dataclass
class Receiver:
    """A client's server: answers with `status`, and keeps what it heard."""

    url: str = ""
    status: int = 204
    text: str = ""
    heard: list[tuple[str, str, str]] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def handle(self, request: web.Request) -> web.Response:
        headers = request.headers
        self.heard.append(
            (headers["Talkmeter-Event"], headers["Talkmeter-Signature"], await request.text())
        )
        if self.meanwhile:
            await self.meanwhile()
        return web.Response(status=self.status, text=self.text, headers={"Location": "/other"})


@dataclass
class Post:
    """A desk with a webhook, and somebody who sends."""

    desk: Desk
    receiver: Receiver
    hook: Endpoint
    guard: Guard

    async def ended(self, call_id: str, client: str = "acme", late_us: int = 0) -> None:
        now_us = microseconds_of(self.desk.clock.now())
        row = {
            "id": call_id, "node": "n", "boot": "b", "channel": "c", "uniqueid": call_id,
            "did": "18005550100", "client": client, "caller": "1", "state": "ended",
            "started_us": now_us - 1, "ended_us": now_us - late_us, "closed_us": now_us,
            "end_reason": "agent_hung_up",
        }  # fmt: skip
        async with self.desk.engine.begin() as connection:
            await connection.execute(insert(calls), row)

    async def send(self) -> int:
        await outbox.collect(self.desk.engine, clock=self.desk.clock)
        sender = Sender(self.desk.engine, self.desk.clock, allow_private=True)
        async with aiohttp.ClientSession() as session:
            return await sender.send_due(session, self.guard)

    async def states(self) -> list[tuple[str, int, str]]:
        rows = await outbox.list_deliveries(self.desk.engine, self.hook.id)
        return [(row["state"], row["attempts"], row["reason"]) for row in rows]


@asynccontextmanager
async def listening() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hook", receiver.handle)
    async with TestServer(application) as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    engine = create(sqlite_url(tmp_path))
    async with open_desk(engine, tmp_path) as desk, listening() as receiver:
        row = {"code": "acme", "title": "Acme", "currency": "USD", "shares": "[]", "created_us": 0}
        async with engine.begin() as connection:
            await connection.execute(insert(clients), row)
        hook, _ = await add_endpoint(
            engine, Whose(client="acme"), receiver.url, clock=desk.clock, allow_plain=True
        )
        desk.clock.advance(1)
        yield Post(desk, receiver, hook, Guard(allow_private=True))
    await engine.dispose()


async def test_a_call_that_ended_is_told_once_and_signed(post: Post) -> None:
    await post.ended("call-1")
    await post.ended("call-2", client="acme")

    tried = [await post.send(), await post.send()]

    event, signature, body = post.receiver.heard[0]
    at, _, found = signature.removeprefix("t=").partition(",v1=")
    assert tried == [2, 0]
    assert event == "call.ended"
    assert found == sign(post.hook.secret, int(at), body)
    assert '"end_reason":"agent_hung_up"' in body
    assert await post.states() == [("delivered", 1, "HTTP 204")] * 2


async def test_calls_of_others_and_of_before_are_not_told(post: Post) -> None:
    await post.ended("call-1")
    async with post.desk.engine.begin() as connection:
        await connection.execute(update(calls).values(client=None))

    assert await post.send() == 0


async def test_what_is_not_heard_is_sent_again_later_and_given_up_in_the_end(post: Post) -> None:
    post.receiver.status = 500
    await post.ended("call-1")
    waits = [0, 1, 5, 30, 120, 360, 1440, 1440]

    tried = []
    for minutes in waits:
        post.desk.clock.advance(minutes * MINUTE)
        tried.append(await post.send())

    assert tried == [1] * 7 + [0]
    assert await post.states() == [("failed", 7, "HTTP 500")]


async def test_between_two_tries_nothing_is_sent_and_a_replay_sends_at_once(post: Post) -> None:
    post.receiver.status = 302  # a redirect is not followed, and is no success
    await post.ended("call-1")
    first, between = await post.send(), await post.send()
    post.receiver.status = 200
    (row,) = await outbox.list_deliveries(post.desk.engine, post.hook.id)

    await outbox.replay(post.desk.engine, row["id"], clock=post.desk.clock)

    assert (first, between, await post.send()) == (1, 0, 1)
    assert await post.states() == [("delivered", 1, "HTTP 200")]


async def test_a_receiver_that_is_gone_switches_its_webhook_off(post: Post) -> None:
    post.receiver.status = 410
    await post.ended("call-1")
    await post.send()
    await post.ended("call-2")

    assert await post.send() == 0
    assert [hook.enabled for hook in await list_endpoints(post.desk.engine)] == [False]


async def test_a_webhook_deleted_while_it_answers_gone_stops_nobody(post: Post) -> None:
    post.receiver.status = 410
    post.receiver.meanwhile = lambda: delete_endpoint(post.desk.engine, post.hook.id)
    await post.ended("call-1")

    assert await post.send() == 1
    assert await list_endpoints(post.desk.engine) == []


async def test_a_replay_while_it_is_being_sent_is_not_lost(post: Post) -> None:
    await post.ended("call-1")

    async def again() -> None:
        (row,) = await outbox.list_deliveries(post.desk.engine, post.hook.id)
        await outbox.replay(post.desk.engine, row["id"], clock=post.desk.clock)

    post.receiver.meanwhile = again
    await post.send()
    post.receiver.meanwhile = None

    assert await post.send() == 1
    assert await post.states() == [("delivered", 1, "HTTP 204")]


async def test_a_test_event_is_sent_like_any_other(post: Post) -> None:
    await outbox.send_test(post.desk.engine, post.hook.id, clock=post.desk.clock)

    await post.send()

    assert post.receiver.heard[0][0] == "test"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "[::1]",
        "0.0.0.0",
        "224.0.0.1",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "[2002:a00:1::]",
        "[ff0e::1]",
        "[::]",
        "127\u30020\u30020\u30021",
        "\uff11\uff12\uff17.0.0.1",
        "\u2460\u2461\u2466.0.0.1",
        "2130706433",
        "127.1",
    ],
)
async def test_nothing_is_sent_inside(post: Post, host: str) -> None:
    post.guard = Guard(allow_private=False)
    async with post.desk.engine.begin() as connection:
        await connection.execute(update(webhook_endpoints).values(url=f"http://{host}:9/hook"))
    await post.ended("call-1")

    await post.send()

    assert await post.states() == [("pending", 1, "not a public address")]


async def test_a_name_that_leads_inside_is_refused_too(post: Post) -> None:
    guard = Guard(allow_private=False)

    with pytest.raises(OSError, match="not a public address"):
        await guard.resolve("localhost", 80)

    await guard.close()


@pytest.mark.parametrize(
    ("client", "url"),
    [
        ("nobody", "https://example.com/"),
        ("acme", "ftp://example.com/"),
        ("acme", "https:///path"),
        ("acme", "http://example.com/"),
        ("acme", "https://user:secret@example.com/"),
        ("acme", "https://example.com/" + "x" * 500),
    ],
)
async def test_what_cannot_be_a_webhook_is_refused(post: Post, client: str, url: str) -> None:
    with pytest.raises(InvalidInput):
        await add_endpoint(post.desk.engine, Whose(client=client), url, clock=post.desk.clock)


async def test_a_busy_client_is_told_of_each_of_many_calls(post: Post) -> None:
    for number in range(600):
        await post.ended(f"call-{number}")

    made = [await outbox.collect(post.desk.engine, clock=post.desk.clock) for _ in range(3)]

    assert made == [500, 100, 0]


async def test_an_end_that_was_written_hours_late_is_told(post: Post) -> None:
    await post.ended("call-1")
    await post.send()
    post.desk.clock.advance(3_600)
    await post.ended("call-2", late_us=3_500_000_000)

    await post.send()

    assert len(post.receiver.heard) == 2


async def test_a_slow_server_delays_nobody_else(post: Post) -> None:
    hanging, told = asyncio.Event(), asyncio.Event()
    post.receiver.meanwhile = lambda: hanging.wait()  # noqa: PLW0108 - a coroutine each time
    for number in range(20):
        await post.ended(f"call-{number}")
    async with listening() as other:
        async with post.desk.engine.begin() as connection:
            row = {"code": "b", "title": "B", "currency": "USD", "shares": "[]", "created_us": 0}
            await connection.execute(insert(clients), row)

        async def heard() -> None:
            told.set()

        other.meanwhile = heard
        await add_endpoint(
            post.desk.engine, Whose(client="b"), other.url, clock=post.desk.clock, allow_plain=True
        )
        post.desk.clock.advance(1)
        await post.ended("other", client="b")
        sender = Sender(post.desk.engine, post.desk.clock, allow_private=True)
        running = asyncio.create_task(sender.run(), name="sender")

        async with asyncio.timeout(10):
            await told.wait()
        waiting = len(post.receiver.heard)
        hanging.set()
        running.cancel()
        await asyncio.wait([running])

    assert waiting <= outbox.PER_ENDPOINT
    assert len(other.heard) == 1


async def test_a_server_that_fails_for_days_is_switched_off_and_says_why(post: Post) -> None:
    post.receiver.status = 500
    for day in range(4):
        await post.ended(f"call-{day}")
        await post.send()
        post.desk.clock.advance(24 * 60 * MINUTE)
    (hook,) = await list_endpoints(post.desk.engine)

    assert not hook.enabled
    assert hook.off_reason == "Nothing was heard for 3 days."


async def test_one_success_ends_the_days_of_failing(post: Post) -> None:
    for status in (500, 500, 204, 500, 500):
        post.receiver.status = status
        await post.ended(f"call-{post.desk.clock.now()}")
        await post.send()
        post.desk.clock.advance(24 * 60 * MINUTE)
    (hook,) = await list_endpoints(post.desk.engine)

    assert hook.enabled


async def test_the_log_keeps_what_the_server_answered(post: Post) -> None:
    post.receiver.status, post.receiver.text = 422, "no such\x00 order" + "x" * 1_000
    await post.ended("call-1")
    await post.send()

    (row,) = await outbox.list_deliveries(post.desk.engine, post.hook.id)
    assert (row["status"], row["reason"]) == (422, "HTTP 422")
    assert row["answer"].startswith("no such  order")
    assert len(row["answer"]) <= outbox.ANSWER_MAX
    assert row["took_ms"] >= 0


async def test_for_a_day_after_a_rotation_both_secrets_sign(post: Post) -> None:
    rotated = await rotate_secret(post.desk.engine, post.hook, clock=post.desk.clock)
    for call_id in ("call-1", "call-2"):
        await post.ended(call_id)
        await post.send()
        post.desk.clock.advance(25 * 60 * MINUTE)

    (_, both, body), (_, one, later) = post.receiver.heard
    at = int(both.removeprefix("t=").partition(",")[0])
    then = int(one.removeprefix("t=").partition(",")[0])
    assert both == (
        f"t={at},v1={sign(rotated.secret, at, body)},v1={sign(post.hook.secret, at, body)}"
    )
    assert one == f"t={then},v1={sign(rotated.secret, then, later)}"


async def test_what_is_long_over_is_forgotten(post: Post) -> None:
    await post.ended("call-1")
    await post.send()
    post.desk.clock.advance(31 * 24 * 60 * MINUTE)
    await post.send()

    assert await outbox.forget_old(post.desk.engine, clock=post.desk.clock) == 1
    assert await post.send() == 0
