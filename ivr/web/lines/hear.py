"""What a caller hears on a line, step by step: as text, and as sounds that a browser plays.

    greeting -> "you will be recorded" -> the menu -> the price of each topic

The steps are made by the same words as in a call; a sound of the client's own takes the place of
ours where there is one in the language.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.periods import tiers_at
from billing.errors import UnknownTariff
from ivr.directory.model import GREETING, Did, Directory, Topic
from ivr.directory.own_prompts import OwnPrompt, sound_of
from ivr.directory.rules import LANGUAGES
from ivr.flows import speech
from ivr.flows.menu import choices_at, offer
from ivr.flows.prompts import Prompt, topic_prompt
from ivr.sandbox.configure import PROMPTS
from ivr.sandbox.prompts import PromptsFailed, texts
from ivr.sounds import browser_sound
from ivr.web.language import gettext as _

OWN: Final = "own:"
STEPS_MAX: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that is said; `code` names it in addresses."""

    code: str
    title: str
    text: str
    prompts: tuple[str, ...]
    own: bool


def languages_of(did: Did) -> tuple[str, ...]:
    """List the languages of a line; the first is its own."""
    return did.rules.languages or (LANGUAGES[0],)


def steps_of(
    did: Did, lines: Directory, language: str, now: datetime, own: Sequence[OwnPrompt]
) -> list[Step]:
    """List what is said, in the order in which it is heard."""
    known = texts_of(language)
    spoken = {
        prompt.name: prompt.text or ""
        for prompt in own
        if prompt.client == did.client and prompt.language == language
    }

    def name_of(topic: Topic) -> str:
        mine = _own(did, topic.digit, lines, spoken)
        return mine or topic_prompt(digit=topic.digit, name=topic.name)

    def step(code: str, title: str, prompts: Sequence[str]) -> Step:
        said = [_words(prompt, known, spoken) for prompt in prompts]
        return Step(
            code=code,
            title=title,
            text=" ".join(said),
            prompts=tuple(str(prompt) for prompt in prompts),
            own=any(prompt.startswith(OWN) for prompt in prompts),
        )

    greeting = _own(did, GREETING, lines, spoken) or Prompt.WELCOME
    found = [step("greeting", _("Greeting"), [greeting])]
    if did.rules.record_days:
        found.append(step("recorded", _("Recording"), [Prompt.RECORDED]))
    if did.rules.listen:
        found.append(step("listened", _("Listening in"), [Prompt.LISTENED]))
    choices = choices_at(did, now)
    if choices:
        menu = offer(choices.values(), name_of)
        found.append(step("menu", _("Menu at this moment"), menu))
    else:
        found.append(step("closed", _("Nothing is open"), [Prompt.LINE_CLOSED]))
    for topic in sorted(did.topics, key=lambda topic: topic.digit or 10):
        title = f"{topic.digit} {topic.name}"
        found.append(step(f"name-{topic.digit}", title, [name_of(topic)]))
        if price := _price(topic, did, lines, language, now):
            label = _("Price of %(topic)s") % {"topic": topic.name}
            found.append(step(f"price-{topic.digit}", label, price))
    return found[:STEPS_MAX]


async def sound(connection: AsyncConnection, did: Did, language: str, step: Step) -> bytes | None:
    """Speak a step as a file that browsers play; None where a sound is missing."""
    pieces: list[bytes] = []
    for prompt in step.prompts:
        if prompt.startswith(OWN):
            piece = await sound_of(connection, did.client, prompt.removeprefix(OWN), language)
        else:
            piece = await asyncio.to_thread(_ours, language, prompt)
        if piece is None:
            return None
        pieces.append(piece)
    return await asyncio.to_thread(browser_sound, b"".join(pieces))


@lru_cache(maxsize=len(LANGUAGES))
def texts_of(language: str) -> Mapping[str, str]:
    """Read what our prompts say; nothing where they are not installed here."""
    try:
        return texts(PROMPTS / f"{language}.txt") if language in LANGUAGES else {}
    except (OSError, PromptsFailed):
        return {}


def _ours(language: str, prompt: str) -> bytes | None:
    # Only names of the list are files: nothing that a visitor sends is part of a path.
    if prompt not in texts_of(language):
        return None
    try:
        return (PROMPTS / language / f"{prompt}.ulaw").read_bytes()
    except OSError:
        return None


def _own(did: Did, digit: int, lines: Directory, spoken: Collection[str]) -> str | None:
    name = lines.prompt_uses.get((did.number, digit))
    return f"{OWN}{name}" if name in spoken else None


def _words(prompt: str, known: Mapping[str, str], spoken: Mapping[str, str]) -> str:
    if prompt.startswith(OWN):
        name = prompt.removeprefix(OWN)
        return spoken[name] or _("(your sound %(name)s)") % {"name": name}
    return known.get(prompt, prompt)


def _price(
    topic: Topic, did: Did, lines: Directory, language: str, now: datetime
) -> tuple[str, ...]:
    try:
        tariff = lines.tariff(topic.tariff or did.tariff).tariff
    except UnknownTariff:
        return ()
    tiers = tiers_at(tariff, now.astimezone(ZoneInfo(did.timezone)))
    return speech.price(tariff, tiers, language)
