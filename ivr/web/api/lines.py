"""Operations on DIDs and topics: the same checks as pages and catalog, the same limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from ivr.directory.catalog_export import did_document
from ivr.directory.edit_lines import add_line, change_line, line_of, retire_line
from ivr.directory.edits import Change, Document, Editor, version_of
from ivr.directory.model import Did, Directory
from ivr.web.api import line_models, places
from ivr.web.api.gate import Answer, Ask, Operation
from ivr.web.lines.desk import WHOLE, editor_of, read_lines, try_edit
from ivr.web.problems import Refusal, wrong_fields
from ivr.web.scope import CLIENTS, OPERATORS, Right

Item = TypeVar("Item")
BOTH: Final = OPERATORS | CLIENTS
REFUSALS: Final = ("not_found", "edit_refused", "changed_meanwhile", "invalid_input")


def editor(ask: Ask) -> Editor:
    """Say who changes things."""
    return editor_of(ask.request, ask.who)


async def directory(ask: Ask) -> Directory:
    """Read what the token may see."""
    return await read_lines(ask.request, ask.who)


async def change(ask: Ask, work: Awaitable[Change], *, action: str, subject: str) -> None:
    """Do it and write it down; refused as `edited` is."""
    before, after = (await edited(work)).lines()
    await ask.web.note(ask.who, action, subject, before=before, after=after)


async def edited(work: Awaitable[Change]) -> Change:
    """Do it.

    Raises:
        Refusal: with the fields that are wrong, by their places in the notation.

    """
    tried = await try_edit(work)
    if tried.conflict is not None:
        raise Refusal("changed_meanwhile", "Read it again, and send its version.")
    if tried.change is None:
        fields = {name: text for name, text in tried.errors.items() if name != WHOLE}
        if not fields:
            raise Refusal("edit_refused", tried.errors[WHOLE])
        raise wrong_fields(fields)
    return tried.change


def paged(
    ask: Ask, items: Sequence[Item], *, key: Callable[[Item], str], owner: Callable[[Item], str]
) -> tuple[Sequence[Item], str | None]:
    """Cut a page out of what is sorted by key."""
    query = ask.query
    assert isinstance(query, line_models.LinesQuery)
    place = query.place(str)
    left = [
        item
        for item in items
        if (place is None or key(item) > place)
        and (query.client is None or owner(item) == query.client)
    ]
    return query.cut(left, key)


async def list_lines(ask: Ask) -> Answer:
    """List DIDs."""
    lines = await directory(ask)
    known = sorted(
        (did for did in lines.dids.values() if not did.rules.retired), key=lambda did: did.number
    )
    page, after = paged(ask, known, key=lambda did: did.number, owner=lambda did: did.client)
    return Answer(
        model=line_models.Lines(items=tuple(line_view(ask, did) for did in page), next=after)
    )


async def show_line(ask: Ask) -> Answer:
    """Show a DID."""
    return Answer(model=line_view(ask, await find_line(ask)))


async def put_line(ask: Ask) -> Answer:
    """Change a DID, or add one."""
    assert isinstance(ask.body, line_models.LineEdit)
    body, number = ask.body, ask.named("number")
    lines = await directory(ask)
    known = lines.dids.get(number)
    if known is None or known.rules.retired:
        if ask.who.role not in OPERATORS or body.version:
            raise Refusal("not_found", "There is no such line.")
        work = add_line(editor(ask), number, body.client or "", body.notation)
        await change(ask, work, action="add line", subject=number)
        return Answer(model=line_view(ask, await find_line(ask)), status=201)
    if body.client not in {None, known.client}:
        raise wrong_fields({"client": "A line stays with its client: retire it, and add it again."})
    await _put(ask, number, body.notation, body.version)
    return Answer(model=line_view(ask, await find_line(ask)))


async def retire(ask: Ask) -> Answer:
    """Retire a DID."""
    assert isinstance(ask.body, line_models.Retirement)
    did = await find_line(ask)
    work = retire_line(editor(ask), did.number, expected=ask.body.version)
    await change(ask, work, action="retire line", subject=did.number)
    return Answer(model=line_models.Retired(number=did.number))


async def show_topic(ask: Ask) -> Answer:
    """Show a topic."""
    return Answer(model=_topic(ask, await find_line(ask)))


async def put_topic(ask: Ask) -> Answer:
    """Change a topic, or add one."""
    assert isinstance(ask.body, line_models.Edit)
    did = await find_line(ask)
    document = did_document(did)
    document["topics"][int(ask.named("digit"))] = ask.body.notation
    await _put(ask, did.number, document, ask.body.version)
    return Answer(model=_topic(ask, await find_line(ask)))


async def delete_topic(ask: Ask) -> Answer:
    """Remove a topic."""
    assert isinstance(ask.body, line_models.Retirement)
    did = await find_line(ask)
    document = did_document(did)
    if document["topics"].pop(int(ask.named("digit")), None) is None:
        raise Refusal("not_found", "There is no such topic.")
    await _put(ask, did.number, document, ask.body.version)
    return Answer(model=line_view(ask, await find_line(ask)))


async def _put(ask: Ask, number: str, document: Document, version: str) -> None:
    work = change_line(editor(ask), number, document, expected=version)
    await change(ask, work, action="change line", subject=number)


async def find_line(ask: Ask) -> Did:
    """Find the DID of the path.

    Raises:
        Refusal: there is none, or it is somebody else's.

    """
    did = (await directory(ask)).dids.get(ask.named("number"))
    if did is None or did.rules.retired:
        raise Refusal("not_found", "There is no such line.")
    return did


def line_view(ask: Ask, did: Did) -> line_models.LineView:
    """Write a DID as the API tells it."""
    return line_models.LineView(
        number=did.number,
        client=did.client,
        open=did.is_open(ask.web.now()),
        version=version_of(line_of(did)),
        notation=_texts(did_document(did)),
    )


def _topic(ask: Ask, did: Did) -> line_models.TopicView:
    digit = int(ask.named("digit"))
    topic = did.topic(digit)
    if topic is None:
        raise Refusal("not_found", "There is no such topic.")
    return line_models.TopicView(
        number=did.number,
        digit=digit,
        open=topic in did.offered(ask.web.now()),
        version=version_of(line_of(did)),
        notation=did_document(did)["topics"][digit],
    )


def _texts(document: Document) -> Document:
    """JSON has no numbers as names."""
    topics = {str(digit): topic for digit, topic in document["topics"].items()}
    return document | {"topics": topics}


OPERATIONS: Final = (
    Operation(
        method="GET", path="/dids", name="listLines", summary="List DIDs by number", roles=BOTH,
        handler=list_lines, query=line_models.LinesQuery, answer=line_models.Lines,
    ),
    Operation(
        method="GET", path=f"/dids/{places.NUMBER}", name="showLine",
        summary="Show a DID with its topics", roles=BOTH, handler=show_line,
        answer=line_models.LineView, problems=("not_found",),
    ),
    Operation(
        method="PUT", path=f"/dids/{places.NUMBER}", name="putLine",
        summary="Change a DID and its topics, or add one", roles=BOTH, handler=put_line,
        body=line_models.LineEdit, answer=line_models.LineView, statuses=(200, 201),
        right=Right.LINES, problems=REFUSALS, versioned=show_line,
    ),
    Operation(
        method="POST", path=f"/dids/{places.NUMBER}/retire", name="retireLine",
        summary="Close a DID for good; calls of before keep it", roles=OPERATORS, handler=retire,
        body=line_models.Retirement, answer=line_models.Retired, right=Right.LINES,
        problems=REFUSALS, versioned=show_line,
    ),
    Operation(
        method="GET", path=f"/dids/{places.NUMBER}/topics/{places.DIGIT}", name="showTopic",
        summary="Show a topic", roles=BOTH, handler=show_topic, answer=line_models.TopicView,
        problems=("not_found",),
    ),
    Operation(
        method="PUT", path=f"/dids/{places.NUMBER}/topics/{places.DIGIT}", name="putTopic",
        summary="Change a topic, or add one", roles=BOTH, handler=put_topic, body=line_models.Edit,
        answer=line_models.TopicView, right=Right.LINES, problems=REFUSALS, versioned=show_topic,
    ),
    Operation(
        method="POST", path=f"/dids/{places.NUMBER}/topics/{places.DIGIT}/remove",
        name="removeTopic", summary="Remove a topic; calls in it go on", roles=BOTH,
        handler=delete_topic, body=line_models.Retirement, answer=line_models.LineView,
        right=Right.LINES, problems=REFUSALS, versioned=show_topic,
    ),
)  # fmt: skip
