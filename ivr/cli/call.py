"""`talkmeter call`: place a real call through the running service, and wait until it is settled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from ivr.cli import context

if TYPE_CHECKING:
    from ivr.calls.history import CallRecord
    from ivr.sandbox.caller import Plan
    from ivr.settings import Settings

SETTLED_WITHIN_SECONDS = 30.0
LOOK_SECONDS = 0.1


def call(
    did: Annotated[str, typer.Option(help="The number to dial.")],
    number: Annotated[str, typer.Option("--from", help="The caller's own number.")],
    pin: Annotated[str | None, typer.Option(help="Keyed in when asked for.")] = None,
    account_number: Annotated[
        str | None, typer.Option("--account", help="Account number, keyed in when asked for.")
    ] = None,
    press: Annotated[str, typer.Option(help="The digit of the topic.")] = "0",
    talk: Annotated[float, typer.Option(help="Seconds to talk before hanging up.")] = 5.0,
    json: context.JsonFlag = False,
) -> None:
    """Place a real call through Asterisk and wait until it is settled."""
    from ivr.cli.api import ServiceNotRunning
    from ivr.sandbox.caller import Plan

    settings = context.settings()
    plan = Plan(
        did=did,
        number=number,
        pin=pin,
        account_number=account_number,
        press=press,
        talk_seconds=talk,
    )
    try:
        record = context.run(_place(settings, plan, quiet=json))
    except ServiceNotRunning as error:
        context.fail(f"no service answers ({error}); start it with `make run` or `talkmeter serve`")
    except (TimeoutError, OSError) as error:
        context.fail(f"the call did not go through: {error or 'no answer in time'}")
    if record is None:
        context.fail("the service never saw this call; is its SIP port the one configured here?")
    if json:
        context.emit(record.document())
    else:
        from ivr.cli.watch import print_record

        print_record(record)


async def _place(settings: Settings, plan: Plan, *, quiet: bool) -> CallRecord | None:
    from ivr.cli.api import ServiceApi
    from ivr.cli.watch import Watch
    from ivr.sandbox.caller import SimulatedCaller

    api = ServiceApi(settings)
    caller = SimulatedCaller(
        server=("127.0.0.1", settings.sip_port), look=api.live, on_change=Watch(quiet=quiet).show
    )
    call_id = await caller.place(plan)
    return await settled(settings.url, call_id) if call_id else None


async def settled(url: str, call_id: str) -> CallRecord | None:
    """Wait until the call's row says that it ended, and read it."""
    from billing.storage.engine import create
    from ivr.calls.history import find

    engine = create(url)
    try:
        async with asyncio.timeout(SETTLED_WITHIN_SECONDS):
            while True:
                async with engine.connect() as connection:
                    record = await find(connection, call_id)
                if record is not None and record.ended_us is not None:
                    return record
                await asyncio.sleep(LOOK_SECONDS)
    finally:
        await engine.dispose()
