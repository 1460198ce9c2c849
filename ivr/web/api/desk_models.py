"""What the API reads and writes of the desk and of prompts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Base64Bytes, Field

from ivr.sounds import TEXT_MAX
from ivr.web.api.models import Moment, Output
from ivr.web.api.paging import PageQuery
from ivr.web.fields import Code, Input

BASE64 = r"^([A-Za-z0-9+/]{4})+([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
AgentState = Literal["available", "paused", "logged_out"]
PromptName = Annotated[
    str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", examples=["welcome"])
]
Language = Literal["en", "de", "es", "ru"]


Sound = Annotated[
    Base64Bytes,
    Field(json_schema_extra={"pattern": BASE64, "contentMediaType": "audio/wav"}),
]


class Agent(Output):
    """An agent of a queue, and whether it takes calls."""

    client: str
    queue: str
    agent: str
    phone: str
    number: str
    state: str


class Agents(Output):
    """All agents of the asker's queues."""

    items: tuple[Agent, ...]


class AgentChange(Input):
    """An agent comes, pauses or goes."""

    state: AgentState


class AgentChanged(Output):
    """What an agent is now."""

    client: str
    agent: str
    state: AgentState


class DeskQuery(PageQuery):
    """Which page, newest first."""


class Message(Output):
    """A message that a caller left; `heard_at` is null while nobody listened."""

    call_id: str
    client: str
    did: str
    topic: str | None
    caller: str
    account: str | None
    seconds: int
    created_at: Moment
    kept_until: Moment
    heard_at: Moment | None


class Messages(Output):
    """A page of messages, newest first."""

    items: tuple[Message, ...]
    next: str | None


class Callback(Output):
    """Somebody who asked to be called back; `call_id` is the call that was made of it."""

    id: str
    client: str
    did: str
    digit: int
    account: str
    number: str
    state: str
    tries: int
    next_try_at: Moment
    created_at: Moment
    reason: str | None
    call_id: str | None


class Callbacks(Output):
    """A page of callbacks, newest first."""

    items: tuple[Callback, ...]
    next: str | None


class CallbackCancelled(Output):
    """Nobody is rung for it any more."""

    id: str


class Prompt(Output):
    """A sound of a client's own; `text` is what was spoken, null where it was uploaded."""

    client: str
    name: str
    language: str
    text: str | None
    bytes: int
    changed_at: Moment


class Prompts(Output):
    """All sounds of the asker."""

    items: tuple[Prompt, ...]


class NewPrompt(Input):
    """A sound: a text to be spoken, or a file (WAV) in base64."""

    client: Code | None = None
    name: PromptName
    language: Language
    text: Annotated[str, Field(min_length=1, max_length=TEXT_MAX)] | None = None
    sound: Sound | None = None


class PromptGone(Output):
    """A sound that is gone."""

    client: str
    name: str
    language: str
