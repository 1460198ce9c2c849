"""Sends due deliveries: signed, with a deadline, never to an address inside.

    Talkmeter-Signature: t=<unix seconds>,v1=<hex HMAC-SHA-256 of "t.body" with the secret>

Who receives computes the same and compares; `t` older than five minutes is a replay. For a day
after a rotation there are two `v1`, of the new secret and the old one. Each delivery is a task of
its own and an endpoint has a few at most, so that a slow server delays nobody but itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
from collections import Counter
from typing import Final, NoReturn

import aiohttp
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.alerts import tell_crossings
from billing.clock import Clock, microseconds_of
from billing.errors import BillingError, InvalidInput
from ivr.web.webhooks import outbox
from ivr.web.webhooks.addresses import AddressRefused, Guard
from ivr.web.webhooks.endpoints import Endpoint, set_enabled
from ivr.web.webhooks.outbox import ANSWER_MAX, PER_ENDPOINT, Delivery, Tried

LOOK_SECONDS: Final = 1.0
AT_ONCE: Final = 60
DEADLINE_SECONDS: Final = 10.0
GONE: Final = 410
# Crossings of plans by calls are looked for less often; at first for what a stopped service missed.
CROSSINGS_SECONDS: Final = 10.0
CROSSINGS_OVERLAP_US: Final = 60_000_000
CROSSINGS_FIRST_US: Final = 2 * outbox.DAY_US
FORGET_SECONDS: Final = 3_600.0

log = structlog.get_logger()


class Sender:
    """Tells servers what happened, until they answer with success."""

    def __init__(self, engine: AsyncEngine, clock: Clock, *, allow_private: bool) -> None:
        self._engine = engine
        self._clock = clock
        self._allow_private = allow_private
        self._busy: Counter[str] = Counter()
        self._free = asyncio.Event()
        self._crossed_us: int | None = None
        self._next_crossings = self._next_forgetting = 0.0

    async def run(self) -> NoReturn:
        """Collect and send for ever."""
        guard = Guard(allow_private=self._allow_private)
        connector = aiohttp.TCPConnector(
            resolver=guard, limit=AT_ONCE, limit_per_host=2 * PER_ENDPOINT
        )
        timeout = aiohttp.ClientTimeout(total=DEADLINE_SECONDS)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            asyncio.TaskGroup() as group,
        ):
            while True:
                self._free.clear()
                try:
                    await self._look()
                    for delivery in await self._take():
                        group.create_task(
                            self._send(session, guard, delivery), name=f"webhook:{delivery.id}"
                        )
                except (SQLAlchemyError, BillingError, OSError) as error:
                    log.warning("webhooks not sent", reason=type(error).__name__)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._free.wait()

    async def send_due(self, session: aiohttp.ClientSession, guard: Guard) -> int:
        """Send what is due and wait for all answers; returns how many were tried."""
        listed = await self._take()
        await asyncio.gather(*(self._send(session, guard, each) for each in listed))
        return len(listed)

    async def find_crossings(self) -> int:
        """Note which shares of plans calls have used up since the last look."""
        now_us = microseconds_of(self._clock.now())
        back_us = CROSSINGS_FIRST_US if self._crossed_us is None else CROSSINGS_OVERLAP_US
        since_us = (now_us if self._crossed_us is None else self._crossed_us) - back_us
        told = await tell_crossings(self._engine, self._clock, since_us=since_us)
        self._crossed_us = now_us
        return told

    async def _look(self) -> None:
        now = self._clock.monotonic()
        if now >= self._next_crossings:
            self._next_crossings = now + CROSSINGS_SECONDS
            await self.find_crossings()
        await outbox.collect(self._engine, clock=self._clock)
        if now >= self._next_forgetting:
            # After the look that moves on from what is forgotten.
            self._next_forgetting = now + FORGET_SECONDS
            await outbox.forget_old(self._engine, clock=self._clock)

    async def _take(self) -> list[Delivery]:
        room = AT_ONCE - self._busy.total()
        if room <= 0:
            return []
        busy = [endpoint for endpoint, count in self._busy.items() if count]
        taken = await outbox.claim_due(self._engine, clock=self._clock, limit=room, busy=busy)
        self._busy.update(each.endpoint.id for each in taken)
        return taken

    async def _send(self, session: aiohttp.ClientSession, guard: Guard, delivery: Delivery) -> None:
        """Send one delivery and note what came of it; what goes wrong here is its own matter."""
        try:
            tried = await self._try(session, guard, delivery)
            await outbox.note(self._engine, delivery, tried, clock=self._clock)
            log.info("webhook tried", delivery=delivery.id, heard=tried.heard, reason=tried.reason)
        except (SQLAlchemyError, OSError) as error:
            # Its claim runs out, and it is sent again then.
            log.warning("webhook not noted", delivery=delivery.id, reason=type(error).__name__)
        finally:
            self._busy[delivery.endpoint.id] -= 1
            self._busy += Counter()
            if not self._busy[delivery.endpoint.id]:
                self._free.set()

    async def _try(self, session: aiohttp.ClientSession, guard: Guard, delivery: Delivery) -> Tried:
        begun = self._clock.monotonic()

        def took_ms() -> int:
            return int((self._clock.monotonic() - begun) * 1_000)

        try:
            guard.check_url(delivery.endpoint.url)
            async with session.post(
                delivery.endpoint.url,
                data=delivery.body.encode(),
                headers=self._headers(delivery),
                allow_redirects=False,
            ) as answer:
                began = await answer.content.read(ANSWER_MAX)
                if answer.status == GONE:
                    await self._switch_off(delivery.endpoint.id)
                return Tried(
                    heard=200 <= answer.status < 300,
                    reason=f"HTTP {answer.status}",
                    status=answer.status,
                    answer=_plain(began),
                    took_ms=took_ms(),
                )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            cause = error.__cause__ or error
            reason = str(cause) if isinstance(cause, AddressRefused) else type(error).__name__
            return Tried(heard=False, reason=reason, took_ms=took_ms())

    async def _switch_off(self, endpoint: str) -> None:
        # Its owner may have deleted it meanwhile; that must not stop who sends for all.
        with contextlib.suppress(InvalidInput):
            await set_enabled(
                self._engine, endpoint, enabled=False, reason="The server says that it is gone."
            )

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        now = self._clock.now()
        return {
            "Content-Type": "application/json",
            "Talkmeter-Event": delivery.event,
            "Talkmeter-Delivery": delivery.id,
            "Talkmeter-Signature": signature(
                delivery.endpoint, int(now.timestamp()), delivery.body, now_us=microseconds_of(now)
            ),
        }


def signature(endpoint: Endpoint, at: int, body: str, *, now_us: int) -> str:
    """Write the header that proves who sends; after a rotation the old secret signs, too."""
    signed = [sign(endpoint.secret, at, body)]
    if endpoint.old_secret and endpoint.old_until_us and now_us < endpoint.old_until_us:
        signed.append(sign(endpoint.old_secret, at, body))
    return ",".join([f"t={at}", *(f"v1={each}" for each in signed)])


def sign(secret: str, at: int, body: str) -> str:
    """Sign a body as it is sent at a moment (unix seconds)."""
    return hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()


def _plain(body: bytes) -> str:
    """Keep what people can read of an answer."""
    text = body.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()
