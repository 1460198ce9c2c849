"""Is it alive, can it take calls, and how is it: for supervisors and for Prometheus."""

from __future__ import annotations

import asyncio
from collections import Counter as Count
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from ivr.web.problems import Refusal
from ivr.web.security import address_of
from ivr.web.state import WEB, Web, web_of
from ivr.web.tokens import bearer, is_cli

PROBE_SECONDS: Final = 2.0
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Requests:
    """Counts requests by route, never by what visitors write into an address."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.answers = Counter(
            "talkmeter_http_requests", "Requests answered.", ("route", "status"), registry=registry
        )
        self.seconds = Histogram(
            "talkmeter_http_seconds", "Time to answer.", ("route",), registry=registry,
            buckets=BUCKETS,
        )  # fmt: skip


REQUESTS: Final = web.AppKey("requests", Requests)


@web.middleware
async def count_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Measure every request."""
    requests, clock = request.config_dict[REQUESTS], web_of(request).deps.clock
    begun, status = clock.monotonic(), 500
    try:
        response = await handler(request)
        status = response.status
        return response
    except web.HTTPException as redirect:
        status = redirect.status
        raise
    finally:
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "none"
        requests.seconds.labels(route).observe(clock.monotonic() - begun)
        requests.answers.labels(route, str(status)).inc()


class _Facts(Collector):
    """What is read when it is asked for: live calls and the ledger's writer."""

    def __init__(self, running: Web) -> None:
        self._running = running

    def collect(self) -> Iterable[Metric]:
        """Read the figures."""
        deps = self._running.deps
        live = GaugeMetricFamily("talkmeter_live_calls", "Live calls.", labels=["state"])
        for state, number in Count(call.state for call in deps.live.snapshot()).items():
            live.add_metric([state], number)
        yield live
        ready = GaugeMetricFamily("talkmeter_ready", "Whether a part works.", labels=["part"])
        for part, works in deps.ready().items():
            ready.add_metric([part], float(works))
        yield ready
        alarms = GaugeMetricFamily(
            "talkmeter_alarms", "Alarms that are on.", labels=["kind", "severity"]
        )
        for (kind, severity), number in deps.machine.alarms_on().items():
            alarms.add_metric([kind, severity], number)
        yield alarms
        yield CounterMetricFamily(
            "talkmeter_ledger_batches", "Commits of the ledger.", value=deps.writer.batches
        )
        yield CounterMetricFamily(
            "talkmeter_ledger_operations", "Operations in them.", value=deps.writer.operations
        )


async def healthz(_request: web.Request) -> web.Response:
    """Answer while the event loop turns."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Answer whether calls can be taken: the database and what the service names."""
    running = web_of(request)
    parts = {"database": await _database_answers(running), **running.deps.ready()}
    works = all(parts.values())
    return web.json_response(
        {"status": "ready" if works else "not ready", "parts": parts}, status=200 if works else 503
    )


async def _database_answers(running: Web) -> bool:
    try:
        async with asyncio.timeout(PROBE_SECONDS), running.deps.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError, TimeoutError):
        return False
    return True


async def metrics(request: web.Request) -> web.Response:
    """Answer the figures to this machine, or to the command line's token."""
    running = web_of(request)
    token = bearer(request.headers.get("Authorization"))
    if not _is_local(request) and not (token and is_cli(token, running.deps.cli_token)):
        raise Refusal("forbidden", "Figures are for this machine only.")
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    response = web.Response(body=encode(running.deps.metrics))
    response.headers["Content-Type"] = content_type
    return response


def _is_local(request: web.Request) -> bool:
    if "X-Forwarded-For" in request.headers and not web_of(request).deps.proxies:
        return False
    try:
        return ip_address(address_of(request)).is_loopback
    except ValueError:
        return False


def add_health(app: web.Application) -> None:
    """Register the three."""
    running = app[WEB]
    app[REQUESTS] = Requests(running.deps.metrics)
    running.deps.metrics.register(_Facts(running))
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
