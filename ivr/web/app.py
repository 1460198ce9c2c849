"""Builds the web application: routes, middlewares, headers; and serves it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from ivr.web import (
    board,
    card_events,
    desk_pages,
    live_pages,
    login_pin,
    prompt_pages,
    public,
    pulse,
    signup,
)
from ivr.web.account.pages import PAGES as ACCOUNT_PAGES
from ivr.web.admin import (
    account,
    account_identity,
    account_new,
    account_plan,
    account_statement,
    account_terms,
    accounts,
    alarms,
    call,
    calls,
    cards,
    client,
    client_edit,
    clients,
    configuration,
    dashboard,
    health,
    import_jobs,
    imports,
    invoice_run,
    invoices,
    limits,
    parties,
    payouts,
    plans,
    reports,
    tariffs,
    voucher_batch,
    vouchers,
)
from ivr.web.api.mount import add_operations
from ivr.web.errors import answer_errors
from ivr.web.guard import Page, add_pages
from ivr.web.health import add_health, count_requests
from ivr.web.lines import (
    limit_pages,
    line_pages,
    list_pages,
    plan_editor,
    queue_pages,
    tariff_editor,
    topic_pages,
)
from ivr.web.logins import audit_pages, key_pages
from ivr.web.logins import changes as login_changes
from ivr.web.logins import pages as login_pages
from ivr.web.portal import calls as portal_calls
from ivr.web.portal import partner, report, report_calls
from ivr.web.portal import payouts as portal_payouts
from ivr.web.security import add_headers
from ivr.web.settings import factor as settings_factor
from ivr.web.settings import first as settings_first
from ivr.web.settings import home as settings_home
from ivr.web.settings import language as settings_language
from ivr.web.settings import password as settings_password
from ivr.web.settings import sessions as settings_sessions
from ivr.web.state import WEB, Web, WebDeps, web_of
from ivr.web.visitor import speak
from ivr.web.webhooks import pages as webhook_pages

__all__ = ["PAGES", "WebDeps", "make_web", "serving"]

BODY_BYTES_MAX: Final = 64 * 1024
SHUTDOWN_SECONDS: Final = 2.0
FOREVER: Final = "public, max-age=31536000, immutable"

PAGES: Final[tuple[Page, ...]] = (
    *public.PAGES,
    *dashboard.PAGES,
    *alarms.PAGES,
    *limits.PAGES,
    *health.PAGES,
    *accounts.PAGES,
    *account_new.PAGES,
    *account.PAGES,
    *live_pages.PAGES,
    *board.PAGES,
    *pulse.PAGES,
    *account_identity.PAGES,
    *account_terms.PAGES,
    *account_plan.PAGES,
    *account_statement.PAGES,
    *calls.PAGES,
    *desk_pages.PAGES,
    *prompt_pages.PAGES,
    *list_pages.PAGES,
    *topic_pages.PAGES,
    *line_pages.PAGES,
    *queue_pages.PAGES,
    *tariff_editor.PAGES,
    *limit_pages.PAGES,
    *plan_editor.PAGES,
    *webhook_pages.PAGES,
    *call.PAGES,
    *imports.PAGES,
    *vouchers.PAGES,
    *voucher_batch.PAGES,
    *tariffs.PAGES,
    *clients.PAGES,
    *client.PAGES,
    *client_edit.PAGES,
    *parties.PAGES,
    *plans.PAGES,
    *invoices.PAGES,
    *invoice_run.PAGES,
    *payouts.PAGES,
    *cards.PAGES,
    *portal_payouts.PAGES,
    *report.PAGES,
    *report_calls.PAGES,
    *partner.PAGES,
    *reports.PAGES,
    *portal_calls.PAGES,
    *ACCOUNT_PAGES,
    *login_pages.PAGES,
    *login_changes.PAGES,
    *key_pages.PAGES,
    *audit_pages.PAGES,
    *configuration.PAGES,
    *settings_first.PAGES,
    *settings_home.PAGES,
    *settings_password.PAGES,
    *settings_factor.PAGES,
    *settings_sessions.PAGES,
    *settings_language.PAGES,
)


def make_web(deps: WebDeps) -> web.Application:
    """Build the application."""
    app = web.Application(
        middlewares=[count_requests, speak, answer_errors], client_max_size=BODY_BYTES_MAX
    )
    app[WEB] = Web(deps)
    app.on_response_prepare.append(add_headers)
    app.cleanup_ctx.append(import_jobs.imports)
    add_health(app)
    public.add_public(app)
    login_pin.add_pin_login(app)
    card_events.add_card_events(app)
    signup.add_signup(app)
    add_pages(app, PAGES)
    add_operations(app)
    app.router.add_get("/static/{hash}/{name}", _static)
    return app


@asynccontextmanager
async def serving(deps: WebDeps, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve until the end of the block; yields the port, which may have been 0.

    Raises:
        OSError: the address cannot be listened on.

    """
    runner = web.AppRunner(
        make_web(deps),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _static(request: web.Request) -> web.Response:
    asset = web_of(request).templates.assets.get(request.match_info["name"])
    if asset is None or asset.path != request.path:
        raise web.HTTPNotFound
    packs = "gzip" in request.headers.get("Accept-Encoding", "")
    response = web.Response(body=asset.packed if packs else asset.body)
    response.headers.update(
        {"Content-Type": asset.content_type, "Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
    )
    if packs:
        response.headers["Content-Encoding"] = "gzip"
    return response
