"""`talkmeter agent`: who takes calls in which queue, and who is away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ivr.cli import context

if TYPE_CHECKING:
    from ivr.directory.model import Directory
    from ivr.settings import Settings

app = typer.Typer(help="Agents of queues: list, set.", no_args_is_help=True)


@app.command("list")
def listed(json: context.JsonFlag = False) -> None:
    """Show the agents of each queue and whether they take calls."""
    directory = context.run(_directory(context.settings()))
    rows = [
        {
            "queue": queue.name,
            "client": queue.client,
            "agent": agent.code,
            "destination": str(agent.destination),
            "state": directory.away.get((queue.client, agent.code), "available"),
        }
        for _, queue in sorted(directory.queues.items())
        for agent in queue.agents
    ]
    if json:
        context.emit({"agents": rows})
        return
    for row in rows:
        context.say(
            f"{row['queue']:<16} {row['client']:<16} {row['agent']:<16} {row['state']:<10} "
            f"{row['destination']}"
        )
    if not rows:
        context.say("no queue has an agent")


@app.command("set")
def put(client: str, agent: str, state: str, json: context.JsonFlag = False) -> None:
    """Let an agent take calls (available), pause (paused) or leave (logged_out)."""
    context.run(_set(context.settings(), client, agent, state))
    if json:
        context.emit({"client": client, "agent": agent, "state": state})
    else:
        context.say(f"{client}/{agent}: {state}")


async def _directory(settings: Settings) -> Directory:
    from billing.clock import SystemClock, microseconds_of
    from ivr.cli.database import database
    from ivr.directory.store import load_directory

    async with database(settings) as engine, engine.connect() as connection:
        return await load_directory(connection, microseconds_of(SystemClock().now()))


async def _set(settings: Settings, client: str, agent: str, state: str) -> None:
    from billing.clock import SystemClock
    from ivr.cli.database import database
    from ivr.directory.agents import set_agent

    async with database(settings) as engine:
        await set_agent(engine, client, agent, state, clock=SystemClock())
