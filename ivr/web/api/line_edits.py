"""Operations of the line editors: opening hours, the order of topics, and what callers hear."""

from __future__ import annotations

from typing import Final

from ivr.directory.catalog_export import did_document
from ivr.directory.edit_lines import change_line, order_topics
from ivr.directory.model import GREETING, Did, Directory
from ivr.directory.own_prompts import list_prompts, use_prompt
from ivr.web.api import line_models, places
from ivr.web.api.gate import Answer, Ask, FileAnswer, Operation
from ivr.web.api.lines import (
    BOTH,
    REFUSALS,
    change,
    directory,
    editor,
    find_line,
    line_view,
    show_line,
)
from ivr.web.api.prompts import refuse_closed
from ivr.web.lines import hear
from ivr.web.problems import Refusal, wrong_fields
from ivr.web.scope import Right

PARTS: Final = ("hours", "holidays")


async def put_hours(ask: Ask) -> Answer:
    """Change when a line is open; what is left out is always."""
    assert isinstance(ask.body, line_models.HoursEdit)
    did = await find_line(ask)
    strange = sorted(ask.body.notation.keys() - set(PARTS))
    if strange:
        raise wrong_fields({f"notation.{strange[0]}": "Only hours and holidays are set here."})
    stored = did_document(did)
    kept = {name: part for name, part in stored.items() if name not in PARTS}
    work = change_line(
        editor(ask), did.number, {**kept, **ask.body.notation}, expected=ask.body.version
    )
    await change(ask, work, action="change hours of line", subject=did.number)
    return Answer(model=line_view(ask, await find_line(ask)))


async def order(ask: Ask) -> Answer:
    """Give the topics their digits anew; their sounds go along."""
    assert isinstance(ask.body, line_models.OrderEdit)
    did = await find_line(ask)
    work = order_topics(editor(ask), did.number, ask.body.order, expected=ask.body.version)
    await change(ask, work, action="reorder topics", subject=did.number)
    return Answer(model=line_view(ask, await find_line(ask)))


async def list_steps(ask: Ask) -> Answer:
    """List what is said, in the order in which it is heard."""
    assert isinstance(ask.query, line_models.StepsQuery)
    did = await find_line(ask)
    language = ask.query.language or hear.languages_of(did)[0]
    steps, _ = await _steps(ask, did, language)
    return Answer(
        model=line_models.Steps(
            number=did.number,
            language=language,
            languages=hear.languages_of(did),
            items=tuple(
                line_models.Step(step=one.code, title=one.title, text=one.text, own=one.own)
                for one in steps
            ),
        )
    )


async def hear_step(ask: Ask) -> FileAnswer:
    """Speak one step."""
    did = await find_line(ask)
    language = ask.named("language")
    steps, _ = await _steps(ask, did, language)
    step = next((one for one in steps if one.code == ask.named("step")), None)
    async with ask.web.reading() as connection:
        body = await hear.sound(connection, did, language, step) if step else None
    if step is None or body is None:
        raise Refusal("not_found", "There is no such sound.")
    return FileAnswer(body=body, media="audio/wav", name=f"{did.number}-{step.code}.wav")


async def _steps(ask: Ask, did: Did, language: str) -> tuple[list[hear.Step], Directory]:
    if language not in hear.languages_of(did):
        raise Refusal("not_found", "The line does not speak this language.")
    lines = await directory(ask)
    async with ask.web.reading() as connection:
        own = await list_prompts(connection, did.client)
    return hear.steps_of(did, lines, language, ask.web.now(), own), lines


async def list_sounds(ask: Ask) -> Answer:
    """List where a line may say a sound of its client's own, and which it says."""
    return Answer(model=_sounds(await directory(ask), await find_line(ask)))


async def use_sound(ask: Ask) -> Answer:
    """Say a sound as greeting or name of a topic, or ours again."""
    assert isinstance(ask.body, line_models.UsedSound)
    body, did = ask.body, await find_line(ask)
    refuse_closed(ask, did.client)
    if body.digit is not None and did.topic(body.digit) is None:
        raise Refusal("not_found", "There is no such topic.")
    digit = GREETING if body.digit is None else body.digit
    await use_prompt(ask.web.deps.engine, did.client, did.number, digit, body.prompt)
    subject = f"{did.number} {digit}"
    await ask.web.note(ask.who, "use prompt", subject, after=body.prompt or "ours")
    return Answer(model=_sounds(await directory(ask), did))


def _sounds(lines: Directory, did: Did) -> line_models.LineSounds:
    said = [(None, "greeting"), *((topic.digit, topic.name) for topic in did.topics)]
    return line_models.LineSounds(
        number=did.number,
        items=tuple(
            line_models.LineSound(
                digit=digit,
                says=says,
                prompt=lines.prompt_uses.get((did.number, GREETING if digit is None else digit)),
            )
            for digit, says in said
        ),
    )


OPERATIONS: Final = (
    Operation(
        method="PUT", path=f"/dids/{places.NUMBER}/hours", name="putHours",
        summary="Change when a DID is open", roles=BOTH, handler=put_hours,
        body=line_models.HoursEdit, answer=line_models.LineView, right=Right.LINES,
        problems=REFUSALS, versioned=show_line,
    ),
    Operation(
        method="POST", path=f"/dids/{places.NUMBER}/order", name="orderTopics",
        summary="Give the topics of a DID their digits anew", roles=BOTH, handler=order,
        body=line_models.OrderEdit, answer=line_models.LineView, right=Right.LINES,
        problems=REFUSALS, versioned=show_line,
        description="The first of `order` gets the first of the digits in use; sounds go along.",
    ),
    Operation(
        method="GET", path=f"/dids/{places.NUMBER}/heard", name="listHeard",
        summary="List what callers of a DID hear, step by step", roles=BOTH, handler=list_steps,
        query=line_models.StepsQuery, answer=line_models.Steps, problems=("not_found",),
    ),
    Operation(
        method="GET", path=f"/dids/{places.NUMBER}/heard/{places.LANGUAGE}/{places.STEP}",
        name="hearStep", summary="Download one thing that callers hear, as WAV", roles=BOTH,
        handler=hear_step, answer=None, media="audio/wav", problems=("not_found",),
    ),
    Operation(
        method="GET", path=f"/dids/{places.NUMBER}/sounds", name="listLineSounds",
        summary="List which own sounds a DID says", roles=BOTH, handler=list_sounds,
        answer=line_models.LineSounds, problems=("not_found",),
    ),
    Operation(
        method="POST", path=f"/dids/{places.NUMBER}/sounds", name="useSound",
        summary="Say an own sound as greeting or name of a topic, or ours again", roles=BOTH,
        handler=use_sound, body=line_models.UsedSound, answer=line_models.LineSounds,
        right=Right.LINES, problems=("not_found", "invalid_input"),
    ),
)  # fmt: skip
