"""Hangs the operations and what describes them into the application."""

from __future__ import annotations

import json

from aiohttp import web

from ivr.web.api.events import event_documents
from ivr.web.api.gate import BASE, JSON, guarded
from ivr.web.api.openapi import document
from ivr.web.api.page import ApiPage
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
    described = document(OPERATIONS, event_documents())
    written = json.dumps(described, indent=1).encode()

    async def openapi(_request: web.Request) -> web.Response:
        return web.Response(body=written, content_type=JSON)

    async def problems(_request: web.Request) -> web.Response:
        return web.json_response(
            {code: {"status": status, "title": title} for code, (status, title) in KNOWN.items()}
        )

    app.router.add_get(f"{BASE}/openapi.json", openapi)
    app.router.add_get(f"{BASE}/problems", problems)
    app.router.add_get("/api", ApiPage(described).answer)
