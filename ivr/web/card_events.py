"""Messages of the card processor: believed by their signature alone, without session or form.

Whatever is wrong answers 400, so that the processor shows it; what the database cannot write now
answers 503, and the processor tries again. What is none of our business is fine.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from aiohttp import web

from ivr.payments.port import NotSigned
from ivr.web.scope import NotYours
from ivr.web.state import web_of

BODY_BYTES_MAX: Final = 256 * 1024
SIGNATURE: Final = "Stripe-Signature"
SIGNATURE_MAX: Final = 2_000

log = structlog.get_logger()


async def receive(request: web.Request) -> web.Response:
    """Take a message."""
    cards = web_of(request).deps.cards
    if cards is None:
        raise NotYours
    request = request.clone(client_max_size=BODY_BYTES_MAX)
    body = await request.read()
    signature = request.headers.get(SIGNATURE, "")[:SIGNATURE_MAX]
    try:
        event = await asyncio.to_thread(cards.processor.read_event, body, signature)
    except NotSigned as error:
        log.warning("card message refused", reason=error.facts["reason"])
        raise
    found = await cards.receive(event) if event is not None else None
    return web.json_response({"received": True, "ours": found is not None})


def add_card_events(app: web.Application) -> None:
    """Register what needs no login."""
    app.router.add_post("/webhooks/stripe", receive)
