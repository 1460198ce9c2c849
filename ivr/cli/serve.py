"""`talkmeter serve`: the service, until a signal."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Final

from ivr.cli import context

# Objects made before a young, a middle and an old collection (Python's own: 700, 10, 10).
COLLECT_AFTER: Final = (10_000, 20, 20)

if TYPE_CHECKING:
    from ivr.app import Service
    from ivr.settings import Settings


def serve() -> None:
    """Serve calls, the web and the API until SIGINT or SIGTERM."""
    context.run(_serve(context.settings()))


def progress(step: str) -> None:
    """Tell people what takes time."""
    print(f"talkmeter: {step}", file=sys.stderr, flush=True)


async def _serve(settings: Settings) -> None:
    from ivr.launch import launched

    async with launched(settings, progress) as service:
        rest_the_collector()
        progress(f"web http://{settings.web_host}:{settings.web_port}  sip {settings.sip_port}")
        await until_stopped(service)
        progress("stopping: no new calls, running ones are handed to Asterisk's limits")


def rest_the_collector() -> None:
    """Look no more through what stays until the end, and less often through the rest."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def until_stopped(service: Service) -> None:
    """Wait for a signal; a task that dies before stops the service."""
    from ivr.supervision import stop_on_signals

    await service.jobs.until(stop_on_signals())
