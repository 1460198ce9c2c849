"""`talkmeter run` and `talkmeter demo`: everything at once, with one real call to look at."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from ivr.cli import context
from ivr.cli.serve import progress, until_stopped

if TYPE_CHECKING:
    from ivr.app import Service
    from ivr.calls.call import CallSnapshot
    from ivr.calls.history import CallRecord

DEMO_DID = "18005550100"
DEMO_CALLER = "15551230001"
DEMO_ACCOUNT = "alice"
DEMO_DIGIT = "3"
DEMO_TALK_SECONDS = 3.0
DEMO_BALANCE_MIN = 10_000_000


def run() -> None:
    """Start everything, place one demo call, print what it cost, and serve until Ctrl-C."""
    context.run(_run())


def demo(json: context.JsonFlag = False) -> None:
    """Start everything, tour it in one call as its caller hears it, print what it cost, stop."""
    record = context.run(_demo())
    from ivr.cli.watch import print_record

    if json:
        context.emit(record.document())
    else:
        print_record(record)


async def _run() -> None:
    from ivr.cli.demo_data import fill
    from ivr.cli.watch import print_record
    from ivr.launch import launched

    settings = context.settings(log_level="warning", signup=True)
    async with launched(settings, progress, first_start=True) as service:
        if made := await fill(service):
            progress(f"{made} calls of a month made up, so that no page is empty")
        logins = await _logins(service)
        print_record(await place_demo_call(service))
        print(f"\nweb       http://{settings.web_host}:{settings.web_port}")
        for line in logins:
            print(f"login     {line}")
        print(
            f"call it   any SIP phone on this machine: sip:{DEMO_DID}@127.0.0.1:{settings.sip_port}"
        )
        print("stop      Ctrl-C", flush=True)
        await until_stopped(service)


async def _demo() -> CallRecord:
    from ivr.cli.tour import Teller, tour
    from ivr.launch import launched

    settings = context.settings(log_level="error")
    teller = Teller()
    async with launched(settings, progress, first_start=True, heard=teller.heard) as service:
        return await tour(service, teller) or await place_demo_call(service)


async def place_demo_call(service: Service) -> CallRecord:
    """Call the demo line with a real phone, over SIP and RTP, and wait for the settlement."""
    from ivr.cli.call import settled
    from ivr.cli.watch import Watch
    from ivr.sandbox.caller import Plan, SimulatedCaller

    await _top_up_when_low(service)

    async def look() -> list[CallSnapshot]:
        return service.lines.registry.snapshot()

    print("a demo call, as it happens:", file=sys.stderr)
    caller = SimulatedCaller(
        server=("127.0.0.1", service.settings.sip_port),
        look=look,
        on_change=Watch().show,
    )
    call_id = await caller.place(
        Plan(
            did=DEMO_DID,
            number=DEMO_CALLER,
            press=DEMO_DIGIT,
            talk_seconds=DEMO_TALK_SECONDS,
        )
    )
    record = await settled(service.settings.url, call_id) if call_id else None
    if record is None:
        context.fail("the demo call did not arrive; `talkmeter doctor` looks for the reason")
    return record


async def _top_up_when_low(service: Service) -> None:
    """The demo may be run for ever: its caller gets money when it runs out."""
    from billing.clock import SystemClock
    from billing.errors import UnknownAccount
    from billing.ids import new_id

    try:
        account = await service.books.wallet.account(DEMO_ACCOUNT)
    except UnknownAccount:
        raise typer.Exit(1) from None
    if account.spendable < DEMO_BALANCE_MIN:
        await service.books.wallet.top_up(
            DEMO_ACCOUNT, 2 * DEMO_BALANCE_MIN, key=new_id(SystemClock()), actor="demo"
        )


async def _logins(service: Service) -> list[str]:
    """Make the demo logins once; their passwords are kept in the state folder."""
    from billing.clock import SystemClock
    from ivr.web.demo_users import ensure_demo_users

    return await ensure_demo_users(service.books.engine, service.settings.state_dir, SystemClock())
