"""What a line says in its client's own voice, where it has one in the caller's language."""

from __future__ import annotations

from ivr.calls.call import Call
from ivr.directory.model import GREETING, Did, Topic
from ivr.flows.desk import Desk
from ivr.flows.prompts import Prompt, own_prompt, topic_prompt


def greeting(call: Call, did: Did, desk: Desk) -> str:
    """Name the sound that welcomes callers."""
    return _own(call, did, GREETING, desk) or Prompt.WELCOME


def topic_name(call: Call, did: Did, topic: Topic, desk: Desk) -> str:
    """Name the sound that says what a topic is."""
    own = _own(call, did, topic.digit, desk)
    return own or topic_prompt(digit=topic.digit, name=topic.name)


def _own(call: Call, did: Did, digit: int, desk: Desk) -> str | None:
    name = desk.directory().prompt_uses.get((did.number, digit))
    if name is None or not desk.has_sound(did.client, call.language, name):
        return None
    return own_prompt(client=did.client, language=call.language, name=name)
