"""The same eight commands by three FastAGI servers; one per process, so that CPU can be told.

`raw` is the floor: bare asyncio streams. `ours` is the product's listener and leg without any
billing. `plain` is panoramisk as it comes.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from panoramisk.fast_agi import Application, Request

from ivr.agi.server import AgiServer
from ivr.telephony import CallLeg
from tests.benchmarks import raw_agi

AGENT = "sip:agent@127.0.0.1:5090"
PLAIN_COMMANDS = (
    "ANSWER",
    'EXEC Read "D,talkmeter/welcome,1,,1,10"',
    "GET VARIABLE D",
    'EXEC Playback "talkmeter/connecting"',
    "SET AUTOHANGUP 120",
    f'EXEC Dial "PJSIP/agents/{AGENT},30"',
    "GET VARIABLE DIALSTATUS",
    "HANGUP",
)


async def converse(leg: CallLeg, path: str) -> None:
    assert path == "call"
    await leg.answer()
    await leg.collect("welcome", digits_max=1, wait_seconds=10)
    await leg.play("connecting")
    await leg.set_limit(120)
    await leg.connect(AGENT, limit_seconds=60, ring_seconds=30)
    await leg.hang_up()


async def plain(request: Request) -> None:
    for command in PLAIN_COMMANDS:
        await request.send_command(command)


async def main(kind: str, port: int) -> None:
    if kind == "raw":
        await raw_agi.main(port, AGENT)
    elif kind == "ours":
        async with AgiServer("127.0.0.1", port, on_call=converse):
            await asyncio.Event().wait()
    else:
        application = Application(loop=asyncio.get_running_loop())
        application.add_route("call", plain)
        server = await asyncio.start_server(application.handler, "127.0.0.1", port, backlog=1024)
        async with server:
            await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2])))
