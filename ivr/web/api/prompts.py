"""Operations on sounds of a client's own."""

from __future__ import annotations

from typing import Final

from billing.errors import InvalidInput
from ivr.calls.history import moment
from ivr.directory.own_prompts import (
    OwnPrompt,
    delete_prompt,
    list_prompts,
    save_prompt,
    sound_of,
)
from ivr.sounds import UPLOAD_BYTES_MAX, browser_sound, phone_sound, spoken
from ivr.web.api import desk_models as models
from ivr.web.api.gate import Answer, Ask, FileAnswer, Operation
from ivr.web.api.places import CLIENT, LANGUAGE, PROMPT
from ivr.web.problems import Refusal, wrong_fields
from ivr.web.scope import CLIENTS, OPERATORS, NotYours, Right, Role

# Base64 takes four bytes for three.
BODY_BYTES_MAX: Final = UPLOAD_BYTES_MAX * 4 // 3 + 10_000


async def list_all(ask: Ask) -> Answer:
    """List sounds."""
    async with ask.web.reading() as connection:
        found = await list_prompts(connection, ask.who.scope.client(None))
    return Answer(model=models.Prompts(items=tuple(_prompt(one) for one in found)))


async def keep(ask: Ask) -> Answer:
    """Keep a sound; the same name again replaces it."""
    assert isinstance(ask.body, models.NewPrompt)
    body, deps = ask.body, ask.web.deps
    client = ask.who.scope.client(body.client)
    if client is None or client not in deps.directory().clients:
        raise wrong_fields({"client": "Name a client."})
    if body.client not in {None, client}:
        raise NotYours
    refuse_closed(ask, client)
    if (body.text is None) == (body.sound is None):
        raise InvalidInput(reason="send a text to be spoken, or a sound")
    sound = (
        await spoken(body.text or "", body.language)
        if body.sound is None
        else phone_sound(body.sound)
    )
    prompt = OwnPrompt(
        client=client,
        name=body.name,
        language=body.language,
        text=body.text,
        bytes=len(sound),
        changed_us=ask.web.now_us(),
    )
    await save_prompt(deps.engine, prompt, sound, clock=deps.clock)
    content = body.text or f"a file of {len(body.sound or b'')} bytes"
    await ask.web.note(
        ask.who, "keep prompt", f"{client}/{body.name}", after=f"{body.language}: {content}"
    )
    return Answer(model=_prompt(prompt))


async def hear(ask: Ask) -> FileAnswer:
    """Answer a sound as a file."""
    client, name, language = _place(ask)
    async with ask.web.reading() as connection:
        sound = await sound_of(connection, client, name, language)
    if sound is None:
        raise Refusal("not_found", "There is no such sound.")
    return FileAnswer(
        body=browser_sound(sound), media="audio/wav", name=f"{client}-{name}-{language}.wav"
    )


async def drop(ask: Ask) -> Answer:
    """Forget a sound."""
    client, name, language = _place(ask)
    async with ask.web.reading() as connection:
        if await sound_of(connection, client, name, language) is None:
            raise NotYours
    refuse_closed(ask, client)
    await delete_prompt(ask.web.deps.engine, client, name, language)
    await ask.web.note(ask.who, "delete prompt", f"{client}/{name}", before=language)
    return Answer(model=models.PromptGone(client=client, name=name, language=language))


def refuse_closed(ask: Ask, client: str) -> None:
    """Let a client change sounds only where its provider has opened them.

    Raises:
        Refusal: they are not.

    """
    known = ask.web.deps.directory().clients.get(client)
    if ask.who.role is Role.OPERATOR or (known and known.rules.limits.allows("prompts")):
        return
    raise Refusal("forbidden", "Your provider has not opened sounds for you to change.")


def _place(ask: Ask) -> tuple[str, str, str]:
    client = ask.named("client")
    if ask.who.role is not Role.OPERATOR and client != ask.who.scope.subject:
        raise NotYours
    return client, ask.named("prompt"), ask.named("language")


def _prompt(one: OwnPrompt) -> models.Prompt:
    return models.Prompt(
        client=one.client,
        name=one.name,
        language=one.language,
        text=one.text,
        bytes=one.bytes,
        changed_at=moment(one.changed_us) or "",
    )


VOICES: Final = OPERATORS | CLIENTS
OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/prompts",
        name="listPrompts",
        summary="List sounds of clients' own",
        roles=VOICES,
        handler=list_all,
        answer=models.Prompts,
    ),
    Operation(
        method="POST",
        path="/prompts",
        name="keepPrompt",
        summary="Keep a sound: a text to be spoken, or a WAV file; the same name replaces it",
        roles=VOICES,
        right=Right.LINES,
        handler=keep,
        body=models.NewPrompt,
        answer=models.Prompt,
        bytes_max=BODY_BYTES_MAX,
        problems=("not_found", "invalid_input"),
    ),
    Operation(
        method="GET",
        path=f"/prompts/{CLIENT}/{LANGUAGE}/{PROMPT}/sound",
        name="hearPrompt",
        summary="Download a sound as WAV",
        roles=VOICES,
        handler=hear,
        answer=None,
        media="audio/wav",
    ),
    Operation(
        method="DELETE",
        path=f"/prompts/{CLIENT}/{LANGUAGE}/{PROMPT}",
        name="deletePrompt",
        summary="Forget a sound; lines that said it say ours again",
        roles=VOICES,
        right=Right.LINES,
        handler=drop,
        answer=models.PromptGone,
        problems=("invalid_input",),
    ),
)
