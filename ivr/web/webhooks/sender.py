"""Sends due deliveries: signed, with a deadline, never to an address inside.

    Talkmeter-Signature: t=<unix seconds>,v1=<hex HMAC-SHA-256 of "t.body" with the secret>

Who receives computes the same and compares; `t` older than five minutes is a replay.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import ipaddress
import socket
from typing import Any, Final, NoReturn

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from yarl import URL

from billing.clock import Clock
from billing.errors import InvalidInput
from ivr.web.webhooks import outbox
from ivr.web.webhooks.outbox import Delivery

LOOK_SECONDS: Final = 1.0
AT_ONCE: Final = 10
DEADLINE_SECONDS: Final = 10.0
GONE: Final = 410
NAT64: Final = ipaddress.ip_network("64:ff9b::/96")

log = structlog.get_logger()


class AddressRefused(OSError):
    """A host that leads inside: webhooks may not reach what only we can reach."""


class Guard(AbstractResolver):
    """Resolves names for webhooks; what it answers is what is connected to."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve, and refuse a name with any address that is not public."""
        found = await self._resolver.resolve(host, port, family)
        for each in found:
            self.check(each["host"])
        return found

    def check(self, address: str) -> None:
        """Refuse an address that is not public.

        Raises:
            AddressRefused: it is loopback, private, link-local or reserved.

        """
        if not self._allow_private and not _is_public(ipaddress.ip_address(address)):
            raise AddressRefused("not a public address")

    def check_url(self, url: str) -> None:
        """Refuse addresses that are written as such, which nobody resolves.

        The host is read as it is connected to: another reader sees a name where that one finds an
        address, as in full-width digits.

        Raises:
            AddressRefused: it is an address inside, or looks like one and is none.
            ValueError: it cannot be read.

        """
        host = URL(url).raw_host or ""
        if ":" not in host and not host.replace(".", "").isdigit():
            return  # a name: `resolve` is asked
        try:
            self.check(host)
        except ValueError:
            raise AddressRefused("not a public address") from None

    async def close(self) -> None:
        """Let the resolver go."""
        await self._resolver.close()


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Tell whether an address is a server's in the internet, and not one of ours in disguise."""
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    # What carries an IPv4 address inside (RFC 4291, 3056, 4380, 6052) leads wherever that does.
    inside = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        inside.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return all(each is None or _is_public(each) for each in inside)


class Sender:
    """Tells clients' servers what happened, until they answer with success."""

    def __init__(self, engine: AsyncEngine, clock: Clock, *, allow_private: bool) -> None:
        self._engine = engine
        self._clock = clock
        self._allow_private = allow_private

    async def run(self) -> NoReturn:
        """Collect and send for ever."""
        guard = Guard(allow_private=self._allow_private)
        connector = aiohttp.TCPConnector(resolver=guard, limit=AT_ONCE)
        timeout = aiohttp.ClientTimeout(total=DEADLINE_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while True:
                try:
                    await outbox.collect(self._engine, clock=self._clock)
                    await self.send_due(session, guard)
                except (SQLAlchemyError, OSError) as error:
                    log.warning("webhooks not sent", reason=type(error).__name__)
                await asyncio.sleep(LOOK_SECONDS)

    async def send_due(self, session: aiohttp.ClientSession, guard: Guard) -> int:
        """Send what is due, some at once; returns how many were tried."""
        listed = await outbox.claim_due(self._engine, clock=self._clock, limit=AT_ONCE)
        await asyncio.gather(*(self._send(session, guard, each) for each in listed))
        return len(listed)

    async def _send(self, session: aiohttp.ClientSession, guard: Guard, delivery: Delivery) -> None:
        heard, reason = False, ""
        try:
            guard.check_url(delivery.webhook.url)
            async with session.post(
                delivery.webhook.url,
                data=delivery.body.encode(),
                headers=self._headers(delivery),
                allow_redirects=False,
            ) as answer:
                heard = 200 <= answer.status < 300
                reason = f"HTTP {answer.status}"
                if answer.status == GONE:
                    await self._switch_off(delivery.webhook.id)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            cause = error.__cause__ or error
            reason = str(cause) if isinstance(cause, AddressRefused) else type(error).__name__
        await outbox.note(self._engine, delivery, heard=heard, reason=reason, clock=self._clock)
        log.info("webhook tried", delivery=delivery.id, heard=heard, reason=reason)

    async def _switch_off(self, hook_id: str) -> None:
        # Its client may have deleted it meanwhile; that must not stop who sends for all.
        with contextlib.suppress(InvalidInput):
            await outbox.set_enabled(self._engine, hook_id, enabled=False)

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        at = int(self._clock.now().timestamp())
        return {
            "Content-Type": "application/json",
            "Talkmeter-Event": delivery.event,
            "Talkmeter-Delivery": delivery.id,
            "Talkmeter-Signature": f"t={at},v1={sign(delivery.webhook.secret, at, delivery.body)}",
        }


def sign(secret: str, at: int, body: str) -> str:
    """Sign a body as it is sent at a moment (unix seconds)."""
    return hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()


__all__: list[Any] = ["AddressRefused", "Guard", "Sender", "sign"]
