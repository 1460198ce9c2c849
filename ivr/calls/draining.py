"""The end of a service that has calls: it takes no new ones, and gives the others a while."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from ivr.calls.registry import Registry

DRAIN_POLL_SECONDS: Final = 0.1

log = structlog.get_logger()


async def drain(registry: Registry, seconds_max: float) -> None:
    """Refuse new calls and give the running ones a while; the rest is Asterisk's to limit."""
    registry.closed = True
    try:
        async with asyncio.timeout(seconds_max):
            while len(registry):  # noqa: ASYNC110 - only until the deadline
                await asyncio.sleep(DRAIN_POLL_SECONDS)
    except TimeoutError:
        log.warning("calls handed over to the limits of the switch", calls=len(registry))
