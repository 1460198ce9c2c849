"""`talkmeter webhook`: tell clients' servers what happened, and look what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ivr.cli import context

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")
app = typer.Typer(
    help="Webhooks of clients: add, list, test, log, replay, enable, disable.",
    no_args_is_help=True,
)


@app.command()
def add(
    client: Annotated[str, typer.Argument(help="A client; `-` for the installation's own server.")],
    url: str,
    event: Annotated[list[str] | None, typer.Option(help="What to tell; call.ended.")] = None,
    json: context.JsonFlag = False,
) -> None:
    """Tell a server of what happens from now on; the secret is shown once, here."""
    from billing.clock import SystemClock
    from ivr.web.webhooks.endpoints import DEFAULT_EVENTS, Whose, add_endpoint

    plain = context.settings().webhooks_allow_private
    hook, _ = _with(
        lambda engine: add_endpoint(
            engine,
            Whose(client=None if client == "-" else client),
            url,
            clock=SystemClock(),
            events=event or DEFAULT_EVENTS,
            allow_plain=plain,
        )
    )
    if json:
        context.emit({"id": hook.id, "client": client, "url": url, "secret": hook.secret})
    else:
        context.say(f"webhook {hook.id}\nsecret  {hook.secret}")


@app.command("list")
def listed(client: str | None = None, json: context.JsonFlag = False) -> None:
    """List webhooks."""
    from ivr.web.webhooks.endpoints import Whose, list_endpoints

    hooks = _with(lambda engine: list_endpoints(engine, Whose(client=client)))
    if json:
        rows = [
            {
                "id": hook.id,
                "client": hook.client,
                "account": hook.account,
                "url": hook.url,
                "events": list(hook.events),
                "enabled": hook.enabled,
            }
            for hook in hooks
        ]
        context.emit({"webhooks": rows})
        return
    for hook in hooks:
        owner = hook.client or hook.account or "-"
        state = "on " if hook.enabled else "off"
        context.say(f"{hook.id}  {owner:<16} {state}  {hook.url}")
    if not hooks:
        context.say("no webhooks")


@app.command()
def test(webhook: str) -> None:
    """Put a test event on its way; the running service sends it."""
    from billing.clock import SystemClock
    from ivr.web.webhooks.outbox import send_test

    context.say(_with(lambda engine: send_test(engine, webhook, clock=SystemClock())))


@app.command()
def log(
    webhook: str,
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 20,
    json: context.JsonFlag = False,
) -> None:
    """Show the newest deliveries of a webhook and what came of them."""
    from ivr.calls.history import moment
    from ivr.web.webhooks.outbox import list_deliveries

    rows = _with(lambda engine: list_deliveries(engine, webhook, limit=limit))
    if json:
        context.emit({"deliveries": rows})
        return
    for row in rows:
        context.say(
            f"{row['id']}  {moment(row['created_us'])}  {row['event']:<10} {row['state']:<9} "
            f"{row['attempts']} tries  {row['reason'] or ''}"
        )


@app.command()
def replay(delivery: str) -> None:
    """Send a delivery once more."""
    from billing.clock import SystemClock
    from ivr.web.webhooks.outbox import replay as again

    _with(lambda engine: again(engine, delivery, clock=SystemClock()))
    context.say("on its way")


@app.command()
def enable(webhook: str) -> None:
    """Switch a webhook on."""
    _switch(webhook, enabled=True)


@app.command()
def disable(webhook: str) -> None:
    """Switch a webhook off."""
    _switch(webhook, enabled=False)


def _switch(webhook: str, *, enabled: bool) -> None:
    from ivr.web.webhooks.endpoints import set_enabled

    _with(lambda engine: set_enabled(engine, webhook, enabled=enabled))
    context.say("on" if enabled else "off")


def _with(work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    async def run() -> T:
        from ivr.cli.database import database

        async with database(context.settings()) as engine:
            return await work(engine)

    return context.run(run())
