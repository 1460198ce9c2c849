"""Queues of a client: who answers, in which order, and what waiting callers hear.

    queues:
      network:
        strategy: rrmemory
        wrap_up: 10s
        wait: 10m
        agents:
          anna: "sip:anna@127.0.0.1:5090"
          john: {phone: "sip:john@127.0.0.1:5091", number: "4711", pin: "250811"}
        overflow: "demo:agent"

With a number and a PIN an agent comes, pauses and goes by phone, on a line of kind `agents`, and
can be put a caller through to. An agent who is away gets no calls; who is away is kept beside the
queues, not in the catalog.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.notation import format_duration, parse_duration
from billing.errors import InvalidInput
from billing.ids import CODE
from ivr.directory.catalog_words import form, one_of
from ivr.directory.destinations import Destination
from ivr.directory.rows import Applied, Row, stored, write
from ivr.directory.yaml_reader import Node
from ivr.tables import agents_away, queues

STRATEGIES: Final = ("ringall", "rrmemory", "leastrecent", "fewestcalls", "random", "linear")
AGENTS_MAX: Final = 500
WAIT_SECONDS: Final = 600
WAIT_SECONDS_MAX: Final = 3_600
WRAP_UP_SECONDS: Final = 5
RING_SECONDS: Final = 15
NAME: Final = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
# One digit is a topic.
AGENT_NUMBER: Final = re.compile(r"[0-9]{2,8}", re.ASCII)
AGENT_PIN: Final = re.compile(r"[0-9]{4,12}", re.ASCII)
STATES: Final = ("available", "paused", "logged_out")
_COLUMNS: Final = ("client", "body")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Somebody who answers, at a phone; `number` is what it keys in, and what others dial it by."""

    code: str
    destination: Destination
    number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Where callers wait for an agent; `overflow` takes who waited too long, or found nobody."""

    name: str
    client: str
    agents: tuple[Agent, ...]
    strategy: str = "rrmemory"
    wrap_up_seconds: int = WRAP_UP_SECONDS
    ring_seconds: int = RING_SECONDS
    wait_seconds: int = WAIT_SECONDS
    overflow: Destination | None = None

    def to_json(self) -> str:
        """Write all but name and client."""
        body = {
            **asdict(self),
            "agents": [
                [agent.code, str(agent.destination), *([agent.number] if agent.number else [])]
                for agent in self.agents
            ],
            "overflow": str(self.overflow) if self.overflow else None,
        }
        del body["name"], body["client"]
        return json.dumps(body, sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(name: str, client: str, text: str) -> Queue:
        """Read what `to_json` wrote."""
        body = json.loads(text)
        return Queue(
            **{
                **body,
                "name": name,
                "client": client,
                "agents": tuple(
                    Agent(
                        code=code,
                        destination=Destination.parse(destination),
                        number=number[0] if number else "",
                    )
                    for code, destination, *number in body["agents"]
                ),
                "overflow": Destination.parse(body["overflow"]) if body["overflow"] else None,
            }
        )


def read_queues(client: str, node: Node, pins: dict[str, str]) -> list[Queue]:
    """Read the queues of a client, and their agents' PINs; what is wrong is noted."""
    found: list[Queue] = []
    numbers: dict[str, str] = {}
    for name, child in node.items():
        if not NAME.fullmatch(name):
            child.wrong("a queue's name is lower case letters, digits and dashes, at most 64")
        fields = child.map(frozenset({"strategy", "wrap_up", "ring", "wait", "agents", "overflow"}))
        overflow = fields["overflow"]
        found.append(
            Queue(
                name=name,
                client=client,
                agents=_agents(fields["agents"].need(), client, numbers, pins),
                strategy=fields["strategy"].read(one_of(*STRATEGIES), "rrmemory"),
                wrap_up_seconds=fields["wrap_up"].read(_time(1), WRAP_UP_SECONDS),
                ring_seconds=fields["ring"].read(_time(5), RING_SECONDS),
                wait_seconds=fields["wait"].read(_time(5), WAIT_SECONDS),
                overflow=overflow.read(_reachable, None) if overflow.given else None,
            )
        )
    return found


def _agents(
    node: Node, client: str, numbers: dict[str, str], pins: dict[str, str]
) -> tuple[Agent, ...]:
    agents: list[Agent] = []
    for code, child in node.items():
        if not CODE.fullmatch(code):
            child.wrong("an agent's name is lower case letters, digits, dot, dash, underscore")
        fields = child.map(frozenset({"phone", "number", "pin"})) if child.is_map else None
        phone = fields["phone"].need() if fields else child
        destination = phone.read(_reachable, None)
        number = fields["number"].read(form(AGENT_NUMBER, "2 to 8 digits"), "") if fields else ""
        if number and numbers.setdefault(number, code) != code:
            child.wrong(f"agent {numbers[number]} has the number {number} already")
        if fields and (pin := fields["pin"].read(form(AGENT_PIN, "4 to 12 digits"), "")):
            pins[pin_name(client, code)] = pin
            if not number:
                child.wrong("an agent with a PIN needs a number to key in")
        if destination is not None:
            agents.append(Agent(code=code, destination=destination, number=number))
    if len(agents) > AGENTS_MAX:
        node.wrong(f"more than {AGENTS_MAX} agents")
    return tuple(agents)


def pin_name(client: str, agent: str) -> str:
    """Say under which name the PIN of an agent is kept, beside those of accounts."""
    return f"agent:{client}.{agent}"


def _reachable(text: str) -> Destination | None:
    destination = Destination.parse(text)
    if destination.kind not in {"sip", "demo"}:
        raise InvalidInput(reason="write sip:user@host:port")
    return destination


def _time(least: int) -> Any:  # Any: a reader of durations
    def parse(text: str) -> int:
        seconds = parse_duration(text)
        if not least <= seconds <= WAIT_SECONDS_MAX:
            raise InvalidInput(reason=f"write a time from {least}s to 60m")
        return seconds

    return parse


def queues_document(listed: Iterable[Queue]) -> dict[str, Any]:  # Any: YAML values
    """Write queues as `read_queues` reads them."""
    return {
        queue.name: {
            "strategy": queue.strategy,
            "wrap_up": format_duration(queue.wrap_up_seconds),
            "ring": format_duration(queue.ring_seconds),
            "wait": format_duration(queue.wait_seconds),
            "agents": {agent.code: _agent_document(agent) for agent in queue.agents},
            **({"overflow": str(queue.overflow)} if queue.overflow else {}),
        }
        for queue in listed
    }


def _agent_document(agent: Agent) -> str | dict[str, str]:
    if not agent.number:
        return str(agent.destination)
    return {"phone": str(agent.destination), "number": agent.number}


async def apply_queues(
    connection: AsyncConnection, listed: Iterable[Queue], applied: Applied
) -> None:
    """Bring the queues to what the catalog says; what it does not name stays."""
    wanted: dict[str, Row] = {
        queue.name: {"client": queue.client, "body": queue.to_json()} for queue in listed
    }
    before = await stored(connection, queues.c.name, wanted, _COLUMNS)
    for name, row in wanted.items():
        applied.note(f"queue {name}", before=before.get(name), after=row)
    await write(connection, queues, "name", wanted=wanted, before=before)


async def load_queues(connection: AsyncConnection) -> dict[str, Queue]:
    """Read all queues by name."""
    rows = await connection.execute(select(queues))
    return {row.name: Queue.from_json(row.name, row.client, row.body) for row in rows}


async def load_away(connection: AsyncConnection) -> dict[tuple[str, str], str]:
    """Read who gets no calls: (client, agent) to `paused` or `logged_out`."""
    rows = await connection.execute(select(agents_away))
    return {(row.client, row.agent): row.state for row in rows}


def members(queue: Queue, away: Mapping[tuple[str, str], str]) -> list[Agent]:
    """List the agents that get calls now."""
    return [agent for agent in queue.agents if (queue.client, agent.code) not in away]
