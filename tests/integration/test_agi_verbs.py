"""The verbs of a leg: which commands they send, and what the replies mean."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ivr.telephony import CallerHungUp, CallLeg, DialResult, LegFailed, Manner, Wish
from tests.doubles.agi_servers import Kept, ours
from tests.doubles.asterisk import AgiCaller


@pytest.fixture
def kept() -> Kept:
    return Kept()


Script = list[tuple[str, list[str]]]
VERBS: list[tuple[Callable[[CallLeg], Awaitable[Any]], Script, Any]] = [  # Any: what verbs return
    (lambda leg: leg.answer(), [("ANSWER", ["200 result=0"])], None),
    (lambda leg: leg.answer(), [("ANSWER", ["200 result=-1"])], CallerHungUp),
    (lambda leg: leg.answer(), [("ANSWER", ["510 Invalid"])], LegFailed),
    (
        lambda leg: leg.play("welcome", "num-1"),
        [('EXEC Playback "talkmeter/welcome&talkmeter/num-1"', ["200 result=0"])],
        None,
    ),
    (lambda leg: leg.play('x"; EXEC System'), [], LegFailed),
    (
        lambda leg: leg.collect("menu", digits_max=1, wait_seconds=2.5),
        [
            ('EXEC Read "TALKMETER_DIGITS,talkmeter/menu,1,,1,2.5"', ["200 result=0"]),
            ("GET VARIABLE TALKMETER_DIGITS", ["200 result=1 (7)"]),
        ],
        "7",
    ),
    (
        lambda leg: leg.collect("menu", digits_max=1, wait_seconds=5),
        [
            ('EXEC Read "TALKMETER_DIGITS,talkmeter/menu,1,,1,5"', ["200 result=-1", "HANGUP"]),
            ("GET VARIABLE TALKMETER_DIGITS", ["200 result=1 (7)"]),
        ],
        CallerHungUp,
    ),
    (
        lambda leg: leg.connect("sip:ada@host:5070", limit_seconds=60, ring_seconds=20),
        [
            (
                'EXEC Dial "PJSIP/agents/sip:ada@host:5070,20,U(talkmeter-agent^60)"',
                ["200 result=0"],
            ),
            ("GET VARIABLE DIALSTATUS", ["200 result=1 (BUSY)"]),
        ],
        DialResult.BUSY,
    ),
    (
        lambda leg: leg.connect("sip:a@b,20,U(evil)", limit_seconds=60, ring_seconds=20),
        [],
        LegFailed,
    ),
    (
        lambda leg: leg.connect(
            "queue:help",
            limit_seconds=60,
            ring_seconds=20,
            manner=Manner(priority=5, transfers=True),
        ),
        [
            ("SET VARIABLE TALKMETER_WISH none", ["200 result=1"]),
            ("SET VARIABLE __TALKMETER_LIMIT 60", ["200 result=1"]),
            ("SET VARIABLE __TALKMETER_TRANSFERS 1", ["200 result=1"]),
            ("SET VARIABLE QUEUE_PRIO 5", ["200 result=1"]),
            ("SET VARIABLE QUEUESTATUS NONE", ["200 result=1"]),
            ('EXEC Queue "tm-help,c,,,20"', ["200 result=0"]),
            ("GET VARIABLE QUEUESTATUS", ["200 result=1 (CONTINUE)"]),
        ],
        DialResult.TALKED,
    ),
    (
        lambda leg: leg.connect("phone:+12025550199", limit_seconds=60, ring_seconds=20),
        [],
        LegFailed,
    ),
    (lambda leg: leg.record_message("/x/../y,b.wav", seconds_max=5), [], LegFailed),
    (lambda leg: leg.record_talk("relative.wav"), [], LegFailed),
    (lambda leg: leg.join("PJSIP/a,b"), [], LegFailed),
    (
        lambda leg: leg.wish(),
        [("GET VARIABLE TALKMETER_WISH", ["200 result=1 (blind:4713)"])],
        Wish(target="4713"),
    ),
    (lambda leg: leg.wish(), [("GET VARIABLE TALKMETER_WISH", ["200 result=1 (none)"])], None),
    (lambda leg: leg.wish(), [("GET VARIABLE TALKMETER_WISH", ["200 result=0"])], None),
    (lambda leg: leg.hang_up(), [("HANGUP", ["511 Not permitted"])], None),
]


@pytest.mark.parametrize(("verb", "script", "expected"), VERBS)
async def test_a_verb_is_these_commands_and_this_result(
    verb: Callable[[CallLeg], Awaitable[Any]], script: Script, expected: object, kept: Kept
) -> None:
    async def on_call(leg: CallLeg, _path: str) -> None:
        await kept.of(verb(leg))

    async with ours(on_call) as server, AgiCaller(server.port) as caller:
        said = [await caller.answer(*lines) for _, lines in script]
        await kept.end()
        rest = await caller.end()

    assert said == [command for command, _ in script]
    assert rest == b""
    assert kept.values == [expected]
