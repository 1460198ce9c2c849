"""Operations on queues and tariffs: the same checks as pages and catalog, the same limits."""

from __future__ import annotations

from typing import Final

from billing.clock import moment_of
from billing.domain.tariffs import Tariff
from billing.errors import InvalidInput
from ivr.directory.catalog_export import tariff_document
from ivr.directory.catalog_tariffs import moment_from
from ivr.directory.edit_queues import delete_queue, new_pin, queue_of, save_queue
from ivr.directory.edit_tariffs import read_prices, save_tariff, tariff_of
from ivr.directory.edits import Change, Document, node_of, refuse_problems, version_of
from ivr.directory.limits import beyond_limits
from ivr.directory.model import TariffVersion, parse_pin
from ivr.directory.queues import Queue, queues_document
from ivr.directory.store import load_planned
from ivr.web.api import line_models, places
from ivr.web.api.gate import Answer, Ask, Operation
from ivr.web.api.lines import BOTH, REFUSALS, change, directory, editor, paged
from ivr.web.problems import Refusal
from ivr.web.scope import OPERATORS, Right

Planned = dict[str, tuple[int, TariffVersion]]


async def list_queues(ask: Ask) -> Answer:
    """List queues."""
    known = [queue for _, queue in sorted((await directory(ask)).queues.items())]
    page, after = paged(ask, known, key=lambda each: each.name, owner=lambda each: each.client)
    return Answer(model=line_models.Queues(items=tuple(map(_queue, page)), next=after))


async def show_queue(ask: Ask) -> Answer:
    """Show a queue."""
    return Answer(model=_queue(await _find_queue(ask)))


async def put_queue(ask: Ask) -> Answer:
    """Change a queue, or add one."""
    assert isinstance(ask.body, line_models.LineEdit)
    body, name = ask.body, ask.named("queue")
    known = (await directory(ask)).queues.get(name)
    if known is None and body.version:
        raise Refusal("not_found", "There is no such queue.")
    mine = None if ask.who.role in OPERATORS else ask.who.scope.client(None)
    client = known.client if known else mine or body.client or ""
    await change(
        ask,
        save_queue(editor(ask), client, name, body.notation, expected=body.version),
        action="change queue" if known else "add queue",
        subject=f"queue {name}",
    )
    answer = await show_queue(ask)
    return Answer(model=answer.model, status=200 if known else 201)


async def remove_queue(ask: Ask) -> Answer:
    """Delete a queue that nothing leads to."""
    assert isinstance(ask.body, line_models.Retirement)
    name = (await _find_queue(ask)).name
    work = delete_queue(editor(ask), name, expected=ask.body.version)
    await change(ask, work, action="delete queue", subject=f"queue {name}")
    return Answer(model=line_models.QueueGone(name=name))


async def give_pin(ask: Ask) -> Answer:
    """Give an agent a new PIN, which is answered this once."""
    queue, agent = await _find_queue(ask), ask.named("agent")
    if agent not in {each.code for each in queue.agents}:
        raise Refusal("not_found", "This queue has no such agent.")
    pin = await new_pin(editor(ask), queue.client, agent)
    await ask.web.note(ask.who, f"new PIN of agent {agent}", f"queue {queue.name}")
    return Answer(model=line_models.AgentPin(queue=queue.name, agent=agent, pin=pin))


async def _find_queue(ask: Ask) -> Queue:
    queue = (await directory(ask)).queues.get(ask.named("queue"))
    if queue is None:
        raise Refusal("not_found", "There is no such queue.")
    return queue


def _queue(queue: Queue) -> line_models.QueueView:
    return line_models.QueueView(
        name=queue.name,
        client=queue.client,
        version=version_of(queue_of(queue)),
        notation=queues_document([queue])[queue.name],
    )


async def _planned(ask: Ask) -> Planned:
    async with ask.web.reading() as connection:
        return await load_planned(connection, ask.web.now_us())


async def list_tariffs(ask: Ask) -> Answer:
    """List tariffs."""
    known = [
        version
        for name, version in sorted((await directory(ask)).tariffs.items())
        if parse_pin(name)[1] is None
    ]
    page, after = paged(
        ask, known, key=lambda each: each.name, owner=lambda each: each.name.rpartition(".")[0]
    )
    planned = await _planned(ask)
    items = tuple(_tariff(each, planned) for each in page)
    return Answer(model=line_models.Tariffs(items=items, next=after))


async def show_tariff(ask: Ask) -> Answer:
    """Show a tariff."""
    return Answer(model=_tariff(await find_tariff(ask), await _planned(ask)))


async def put_tariff(ask: Ask) -> Answer:
    """Save a new version of a tariff, or a new tariff."""
    assert isinstance(ask.body, line_models.TariffEdit)
    body, name = ask.body, ask.named("tariff")
    known = (await directory(ask)).tariffs.get(name)
    if known is None and body.version:
        raise Refusal("not_found", "There is no such tariff.")
    await change(
        ask,
        _save(ask, body, name, known),
        action="plan tariff" if body.in_force_from else "save tariff",
        subject=f"tariff {name}",
    )
    answer = await show_tariff(ask)
    return Answer(model=answer.model, status=200 if known else 201)


async def _save(
    ask: Ask, body: line_models.TariffEdit, name: str, known: TariffVersion | None
) -> Change:
    tariff = await draft(ask, name, known, body.notation, body.currency)
    from_us = None
    if body.in_force_from:
        try:
            from_us = moment_from(body.in_force_from)
        except (ValueError, OverflowError, InvalidInput) as error:
            refuse_problems([("in_force_from", str(error))])
    return await save_tariff(editor(ask), tariff, expected=body.version, from_us=from_us)


async def draft(
    ask: Ask, name: str, known: TariffVersion | None, notation: Document, currency: str | None
) -> Tariff:
    """Read prices that somebody sent.

    Raises:
        CatalogInvalid: with all mistakes, and what is beyond the limits of a client.

    """
    kept_in = known.tariff.currency if known else currency or ""
    if ask.who.role in OPERATORS:
        return read_prices(name, node_of(notation), kept_in)
    mine = (await directory(ask)).clients[ask.who.scope.client(None) or ""]
    tariff = read_prices(name, node_of(notation), kept_in if known else mine.currency)
    refuse_problems(beyond_limits(tariff, mine.rules.limits))
    return tariff


async def find_tariff(ask: Ask) -> TariffVersion:
    """Find the tariff of the path.

    Raises:
        Refusal: there is none, or no line of the client has it.

    """
    found = (await directory(ask)).tariffs.get(ask.named("tariff"))
    if found is None:
        raise Refusal("not_found", "There is no such tariff.")
    return found


def _tariff(version: TariffVersion, planned: Planned) -> line_models.TariffView:
    then = planned.get(version.name)
    return line_models.TariffView(
        name=version.name,
        number=version.version,
        currency=version.tariff.currency,
        version=version_of(tariff_of(version, then)),
        notation=tariff_document(version.tariff),
        planned_from=moment_of(then[0]).isoformat() if then else None,
        planned=tariff_document(then[1].tariff) if then else None,
    )


OPERATIONS: Final = (
    Operation(
        method="GET", path="/queues", name="listQueues", summary="List queues by name", roles=BOTH,
        handler=list_queues, query=line_models.LinesQuery, answer=line_models.Queues,
    ),
    Operation(
        method="GET", path=f"/queues/{places.QUEUE}", name="showQueue", summary="Show a queue",
        roles=BOTH, handler=show_queue, answer=line_models.QueueView, problems=("not_found",),
    ),
    Operation(
        method="PUT", path=f"/queues/{places.QUEUE}", name="putQueue",
        summary="Change a queue and its agents, or add one", roles=BOTH, handler=put_queue,
        body=line_models.LineEdit, answer=line_models.QueueView, statuses=(200, 201),
        right=Right.LINES, problems=REFUSALS, versioned=show_queue,
    ),
    Operation(
        method="POST", path=f"/queues/{places.QUEUE}/delete", name="deleteQueue",
        summary="Delete a queue that no topic leads to", roles=BOTH, handler=remove_queue,
        body=line_models.Retirement, answer=line_models.QueueGone, right=Right.LINES,
        problems=REFUSALS, versioned=show_queue,
    ),
    Operation(
        method="POST", path=f"/queues/{places.QUEUE}/agents/{places.AGENT}/pin",
        name="giveAgentPin", summary="Give an agent a new PIN, answered this once", roles=BOTH,
        handler=give_pin, answer=line_models.AgentPin, right=Right.LINES,
        problems=("not_found", "edit_refused"),
    ),
    Operation(
        method="GET", path="/tariffs", name="listTariffs", summary="List tariffs by name",
        roles=BOTH, handler=list_tariffs, query=line_models.LinesQuery, answer=line_models.Tariffs,
    ),
    Operation(
        method="GET", path=f"/tariffs/{places.TARIFF}", name="showTariff",
        summary="Show a tariff and what is planned", roles=BOTH, handler=show_tariff,
        answer=line_models.TariffView, problems=("not_found",),
    ),
    Operation(
        method="PUT", path=f"/tariffs/{places.TARIFF}", name="putTariff",
        summary="Save a new version of a tariff, now or from a date, or a new tariff", roles=BOTH,
        handler=put_tariff, body=line_models.TariffEdit, answer=line_models.TariffView,
        statuses=(200, 201), right=Right.LINES, problems=REFUSALS, versioned=show_tariff,
    ),
)  # fmt: skip
