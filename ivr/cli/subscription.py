"""`talkmeter subscription`: who has which plan, and what is left of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing.money import format_amount, parse_amount
from ivr.cli import context

if TYPE_CHECKING:
    from billing.storage.plan_rows import Subscription
    from billing.subscriptions import Left, Ran, Subscriptions
    from ivr.settings import Settings

app = typer.Typer(help="Plans that accounts have.", no_args_is_help=True)

Found = tuple["Subscription", "list[Left]"]


@app.command("add")
def add(
    account: str,
    plan: str,
    payment: Annotated[
        str | None, typer.Option(help="monthly, quarterly or annual; else as the plan says.")
    ] = None,
    addon: Annotated[list[str] | None, typer.Option(help="NAME=COUNT, as often as needed.")] = None,
    json: context.JsonFlag = False,
) -> None:
    """Subscribe an account to a plan; the first fee is taken now."""
    addons = dict(_addon(text) for text in addon or [])

    async def work(plans: Subscriptions) -> Found:
        await plans.subscribe(account, plan, payment=payment, addons=addons)
        return await plans.show(account)

    _tell(context.run(_with(context.settings(), work)), json=json)


@app.command("show")
def show(
    subscription: Annotated[str, typer.Argument(help="Its id, or the account that has it.")],
    json: context.JsonFlag = False,
) -> None:
    """Show a subscription and what is left of its allowances."""

    async def work(plans: Subscriptions) -> Found:
        return await plans.show(subscription)

    _tell(context.run(_with(context.settings(), work)), json=json)


@app.command("change")
def change(account: str, plan: str, json: context.JsonFlag = False) -> None:
    """Go to another plan now; price and allowance change by the days that are left."""

    async def work(plans: Subscriptions) -> Found:
        await plans.change(account, plan)
        return await plans.show(account)

    _tell(context.run(_with(context.settings(), work)), json=json)


@app.command("cancel")
def cancel(
    account: str,
    now: Annotated[bool, typer.Option("--now", help="At once, without a refund.")] = False,
    json: context.JsonFlag = False,
) -> None:
    """End a subscription with the time that is paid for."""

    async def work(plans: Subscriptions) -> Found:
        done = await plans.cancel(account, at_once=now)
        return await plans.show(done.id)

    _tell(context.run(_with(context.settings(), work)), json=json)


@app.command("buy")
def buy(
    account: str,
    meter: Annotated[str, typer.Argument(help="The unit, such as credits.")],
    key: Annotated[str, typer.Option(help="The same key never buys twice.")],
    bundle: Annotated[str | None, typer.Option(help="The name of a bundle.")] = None,
    units: Annotated[str | None, typer.Option(help="So many units at the unit price.")] = None,
    json: context.JsonFlag = False,
) -> None:
    """Buy units ahead, once per key."""
    if (bundle is None) == (units is None):
        raise typer.BadParameter("say either --bundle or --units")

    async def work(plans: Subscriptions) -> Found:
        found, _ = await plans.show(account)
        one = next((each.scale for each in found.plan.meters if each.unit == meter), 1)
        wanted = parse_amount(units) * one if units is not None else 0
        await plans.buy(account, meter, key=key, bundle=bundle, units=wanted)
        return await plans.show(account)

    _tell(context.run(_with(context.settings(), work)), json=json)


@app.command("run")
def run(json: context.JsonFlag = False) -> None:
    """Renew what is due and earn what was paid ahead; a second run changes nothing."""

    async def work(plans: Subscriptions) -> Ran:
        return await plans.run_cycles()

    done = context.run(_with(context.settings(), work))
    if json:
        context.emit(
            {
                "renewed": done.renewed,
                "past_due": list(done.past_due),
                "recognised": done.recognised,
            }
        )
        return
    context.say(f"{done.renewed} renewed, {done.recognised} months earned")
    for account in done.past_due:
        context.say(f"past due: {account}")


def _addon(text: str) -> tuple[str, int]:
    name, equals, count = text.partition("=")
    if not name or not equals or not count.isdecimal():
        raise typer.BadParameter("write an add-on as NAME=COUNT", param_hint="--addon")
    return name, int(count)


def document(found: Found) -> dict[str, object]:
    """Write a subscription for programs; units as decimal strings."""
    from billing.clock import moment_of

    subscription, left = found
    return {
        "subscription": subscription.id,
        "account": subscription.account,
        "plan": subscription.plan.name,
        "plan_version": subscription.version,
        "state": subscription.state,
        "ends": subscription.ends,
        "months_paid_at_once": subscription.months,
        "cycle_from": moment_of(subscription.cycle_start_us).isoformat(),
        "cycle_to": moment_of(subscription.cycle_end_us).isoformat(),
        "addons": subscription.addons,
        "allowances": [
            {
                "meter": each.bucket.meter,
                "bucket": each.bucket.name,
                "granted": _units(each, each.bucket.granted),
                "left": _units(each, each.units),
            }
            for each in left
        ],
    }


def _units(left: Left, units: int) -> str:
    from billing.domain.plans import SECONDS_OF_MINUTE, SECONDS_UNIT

    scale = SECONDS_OF_MINUTE if left.bucket.ref.currency == SECONDS_UNIT else 1
    return format_amount(units // scale, decimals_min=0)


def _tell(found: Found, *, json: bool) -> None:
    if json:
        context.emit(document(found))
        return
    subscription, left = found
    ending = ", ends with its time" if subscription.ends else ""
    context.say(
        f"{subscription.account}: plan {subscription.plan.name} (version {subscription.version}), "
        f"{subscription.state.replace('_', ' ')}{ending}"
    )
    for each in left:
        context.say(f"  {each.bucket.meter} {each.bucket.name}: {_units(each, each.units)} left")


async def _with(settings: Settings, work: Any) -> Any:  # Any: a coroutine function and its result
    async with _opened(settings) as plans:
        return await work(plans)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Subscriptions]:
    from billing.clock import SystemClock
    from billing.subscriptions import Subscriptions
    from ivr.cli.database import database

    async with database(settings) as engine:
        yield Subscriptions(engine=engine, clock=SystemClock())
