"""What a client changes on its own lines, held against the limits that its provider set.

Everything is checked again while nobody else changes the directory, so that limits which were
lowered a moment ago hold. What stays as it was is never refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from billing.domain.tariffs import Problem
from ivr.directory.destinations import Destination, country_of
from ivr.directory.limits import beyond_limits
from ivr.directory.model import Client, Did, Directory, Topic
from ivr.directory.queues import Queue
from ivr.directory.rules import Opening

Pair: TypeAlias = tuple[Destination, str]
_TOPICS: Final = "your provider has not opened topics for you to change"
_HOURS: Final = "your provider has not opened the hours for you to change"


def owner_of_tariff(name: str) -> str:
    """Name the client whose own a tariff is: `acme.night` is acme's; empty for a shared one."""
    return name.rpartition(".")[0]


def own_queue_prefix(client: str) -> str:
    """Say how the names of queues begin that a client makes."""
    return f"{client.translate(str.maketrans('._', '--'))}-"


def beyond_on_line(
    before: Did, after: Did, client: Client, directory: Directory
) -> Iterator[Problem]:
    """Name what a client may not do to its line, by the places of the DID's notation."""
    limits = client.rules.limits
    if _fixed(before) != _fixed(after):
        yield "kind", "only your provider changes this"
    if before.rules.opening != after.rules.opening and not limits.allows("hours"):
        yield "hours", _HOURS
    if before.topics != after.topics:
        yield from _beyond_in_topics(before, after, client, directory)


def _beyond_in_topics(
    before: Did, after: Did, client: Client, directory: Directory
) -> Iterator[Problem]:
    limits = client.rules.limits
    shapes = [[_shape(topic) for topic in did.topics] for did in (before, after)]
    if shapes[0] != shapes[1] and not limits.allows("topics"):
        yield "topics", _TOPICS
    known = {_pair(topic, before) for topic in before.topics}
    places = {destination for destination, _ in known}
    names = {topic.name for topic in before.topics}
    hours = {(topic.name, topic.rules.opening) for topic in before.topics}
    for topic in after.topics:
        place, opening = f"topics.{topic.digit}", topic.rules.opening
        fresh = topic.name not in names and opening == Opening()
        if not (fresh or (topic.name, opening) in hours or limits.allows("hours")):
            yield f"{place}.hours", _HOURS
        if topic.destination not in places:
            for reason in unreachable(topic.destination, client, directory):
                yield f"{place}.destination", reason
        if _pair(topic, after) not in known:
            for reason in _too_dear(topic, after, client, directory):
                yield f"{place}.tariff", reason


def unreachable(destination: Destination, client: Client, directory: Directory) -> Iterator[str]:
    """Say why a client may not send callers there."""
    limits = client.rules.limits
    if destination.kind not in limits.kinds:
        yield f"your provider allows {', '.join(limits.kinds) or 'nothing'} here"
    elif destination.kind == "queue":
        queue = directory.queues.get(destination.target)
        if queue is None or queue.client != client.code:
            yield "you have no such queue"
    elif destination.kind == "phone" and client.rules.countries:
        country = country_of(destination.target)
        if country not in client.rules.countries:
            yield f"phones may be in {', '.join(client.rules.countries)}"


def beyond_in_queue(
    before: Queue | None, after: Queue, client: Client, directory: Directory
) -> Iterator[Problem]:
    """Name what a client may not do to a queue; agents are a right of their own."""
    limits = client.rules.limits
    if _frame(before) != _frame(after) and not limits.allows("queues"):
        yield "strategy", "your provider has not opened queues for you to change"
    if (before.agents if before else ()) != after.agents and not limits.allows("agents"):
        yield "agents", "your provider has not opened agents for you to change"
    known = {agent.destination for agent in before.agents} if before else set()
    known |= {before.overflow} if before and before.overflow else set()
    wanted = [(f"agents.{agent.code}.phone", agent.destination) for agent in after.agents]
    if after.overflow:
        wanted.append(("overflow", after.overflow))
    for place, destination in wanted:
        if destination not in known:
            for reason in unreachable(destination, client, directory):
                yield place, reason


def strange_name(name: str, client: str) -> Iterator[Problem]:
    """Refuse a name for a new queue that is not one of the client's."""
    if not name.startswith(own_queue_prefix(client)):
        yield "name", f"a queue of yours begins with {own_queue_prefix(client)}"


def choices_of_tariffs(client: Client, directory: Directory) -> list[str]:
    """List the tariffs that a client may give its topics: its own, and those on its lines."""
    lines = [did for did in directory.dids.values() if did.client == client.code]
    used = {name for did in lines for name in did.tariffs()}
    own = {
        name
        for name in directory.tariffs
        if owner_of_tariff(name) == client.code and "@" not in name
    }
    return sorted(used | own)


def _too_dear(topic: Topic, after: Did, client: Client, directory: Directory) -> Iterator[str]:
    limits = client.rules.limits
    if topic.tariff and not limits.allows("tariffs"):
        yield "your provider sets the prices of your topics"
        return
    if topic.tariff and topic.tariff not in choices_of_tariffs(client, directory):
        yield "choose a tariff of yours, or one of your lines"
        return
    if limits.price_to is None and not topic.tariff:
        return
    version = directory.tariffs.get(topic.tariff or after.tariff)
    if version is None:
        yield "there is no such tariff"
        return
    for place, reason in beyond_limits(version.tariff, limits):
        yield f"{version.name}: {place}: {reason}"
        return


def _pair(topic: Topic, did: Did) -> Pair:
    """What a caller of a topic pays, and to be talked to by whom."""
    return topic.destination, topic.tariff or did.tariff


def _fixed(did: Did) -> tuple[object, ...]:
    rules = did.rules
    return (
        did.number, did.client, did.kind, did.monthly_fee, did.timezone, did.tariff, did.access,
        rules.maximum_talk_seconds, rules.calls_max, rules.spend_limit, rules.confirm_price,
        rules.ask_rating, rules.languages, rules.carrier, rules.announced, rules.daily_limit,
        rules.transfers, rules.record_days, rules.listen, rules.retired,
    )  # fmt: skip


def _shape(topic: Topic) -> tuple[object, ...]:
    """All of a topic but its hours."""
    rules = topic.rules
    return (
        topic.digit, topic.name, topic.destination, topic.tariff, rules.hidden, rules.enabled,
        rules.accept, rules.otherwise,
    )  # fmt: skip


def _frame(queue: Queue | None) -> tuple[object, ...] | None:
    """All of a queue but its agents; None for one that is not there yet."""
    if queue is None:
        return None
    return (
        queue.strategy, queue.wrap_up_seconds, queue.ring_seconds, queue.wait_seconds,
        queue.overflow,
    )  # fmt: skip
