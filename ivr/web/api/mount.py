"""Hangs the operations and what describes them into the application."""

from __future__ import annotations

import json
from functools import cache

from aiohttp import web

from ivr.web.api.events import event_documents
from ivr.web.api.gate import BASE, JSON, guarded
from ivr.web.api.openapi import document
from ivr.web.api.page import ApiPage, Json
from ivr.web.api.table import OPERATIONS
from ivr.web.problems import KNOWN


def add_operations(app: web.Application) -> None:
    """Register all operations and their document."""
    for operation in OPERATIONS:
        path = BASE + operation.path
        if operation.method == "GET":
            app.router.add_get(path, guarded(operation))
        else:
            app.router.add_route(operation.method, path, guarded(operation))

    async def openapi(_request: web.Request) -> web.Response:
        return web.Response(body=_written(), content_type=JSON)

    async def problems(_request: web.Request) -> web.Response:
        return web.json_response(
            {code: {"status": status, "title": title} for code, (status, title) in KNOWN.items()}
        )

    app.router.add_get(f"{BASE}/openapi.json", openapi)
    app.router.add_get(f"{BASE}/problems", problems)
    app.router.add_get("/api", _page)


@cache
def _described() -> Json:
    """Describe all operations, once somebody wants to know: the service starts without it."""
    return document(OPERATIONS, event_documents())


@cache
def _written() -> bytes:
    return json.dumps(_described(), indent=1).encode()


@cache
def _read() -> ApiPage:
    return ApiPage(_described())


async def _page(request: web.Request) -> web.Response:
    return await _read().answer(request)
