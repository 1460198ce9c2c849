"""Floor R: the least that a FastAGI service can do for the same call; eight commands, no billing.

Run as a process of its own, so that its CPU can be told from everything else.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, agent: str) -> None:
    while (await reader.readline()) != b"\n":
        pass
    commands = (
        "ANSWER",
        'EXEC Read "D,talkmeter/welcome,1,,1,10"',
        "GET VARIABLE D",
        'EXEC Playback "talkmeter/connecting"',
        "SET AUTOHANGUP 120",
        f'EXEC Dial "PJSIP/agents/{agent},30"',
        "GET VARIABLE DIALSTATUS",
        "HANGUP",
    )
    try:
        for command in commands:
            writer.write(command.encode() + b"\n")
            if not await reader.readline():
                break
    except ConnectionError:
        return
    finally:
        writer.close()


async def main(port: int, agent: str) -> None:
    server = await asyncio.start_server(
        lambda reader, writer: serve(reader, writer, agent), "127.0.0.1", port, backlog=1024
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]), sys.argv[2]))
