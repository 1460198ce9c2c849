"""FastAGI over real sockets: each fault of plain panoramisk is shown beside ours, which has it not.

Where panoramisk's fault is shown, the test fails as soon as a release of it is better: then the
part of `ivr.agi` that contains it can go.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from panoramisk.fast_agi import Request

from ivr.agi.server import AgiRequest, AgiServer
from ivr.agi.wire import Reply
from ivr.telephony import CallerHungUp, CallFacts, CallLeg, LegFailed
from tests.doubles.agi_servers import Kept, commands, ours, plain
from tests.doubles.asterisk import WAIT_SECONDS, AgiCaller, header_block, until

ROOT = Path(__file__).parent.parent.parent
FREEZE_SECONDS = 1.0
SERVER_PROGRAM = """
import asyncio, sys
from panoramisk.fast_agi import Application
from ivr.agi.server import AgiServer

async def plain():
    app = Application(loop=asyncio.get_running_loop())
    async def route(request):
        await request.send_command("NOOP")
    app.add_route("call", route)
    server = await asyncio.start_server(app.handler, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()

async def ours():
    async def on_call(leg, path):
        await leg.answer()
    async with AgiServer("127.0.0.1", 0, on_call=on_call) as server:
        print(server.port, flush=True)
        await asyncio.Event().wait()

asyncio.run({"plain": plain, "ours": ours}[sys.argv[1]]())
"""


@pytest.fixture
def kept() -> Kept:
    return Kept()


async def is_served(port: int) -> bool:
    """Tell whether the next caller gets a command in time."""
    async with AgiCaller(port) as caller:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FREEZE_SECONDS):
                await caller.command()
                return True
        return False


async def outcome_of_ten_calls(port: int) -> str:
    """Nothing tells when a server reads an end of file: after ten calls it has."""
    for _ in range(10):
        if not await is_served(port):
            return "frozen"
    return "serves"


@contextlib.asynccontextmanager
async def running(kind: str) -> AsyncIterator[int]:
    """Serve in a process of its own; whatever it does to itself, it is killed in the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVER_PROGRAM, kind), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield int(await process.stdout.readline())
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


# The header block


@pytest.mark.parametrize(("kind", "outcome"), [("ours", "serves"), ("plain", "frozen")])
async def test_a_peer_that_ends_before_the_empty_line_freezes_plain_panoramisk_only(
    kind: str, outcome: str
) -> None:
    async with running(kind) as port:
        assert await is_served(port)
        async with AgiCaller(port, b"agi_network: yes\n") as scanner:
            scanner.hang_up()

            found = await outcome_of_ten_calls(port)

    assert found == outcome


@pytest.mark.parametrize("sent", [b"", b"agi_network: yes", b"agi_network: yes\n", b"\n"])
@pytest.mark.parametrize("way", ["hang_up", "reset"])
async def test_whoever_leaves_early_ends_his_own_session_only(sent: bytes, way: str) -> None:
    async def answer(leg: CallLeg, _path: str) -> None:
        await leg.answer()

    async with ours(answer) as server:
        async with AgiCaller(server.port, sent) as caller:
            getattr(caller, way)()
            await until(lambda: server.sessions == 0)

        assert await is_served(server.port)


async def test_a_peer_that_says_nothing_is_closed_at_the_deadline(kept: Kept) -> None:
    async def on_call(leg: CallLeg, _path: str) -> None:
        await kept.of(leg.answer())

    async with ours(on_call, header_seconds=0.05) as server, AgiCaller(server.port, b"") as silent:
        assert await silent.end() == b""
        await until(lambda: server.sessions == 0)

    assert not kept.values


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(header_block(agi_arg_2="x" * 40_000), id="a long value"),
        pytest.param(b"agi_x: " + b"1" * 100_000, id="no end of line"),
        pytest.param(header_block()[:-1] + b"agi_callerid: 1\n\n", id="a header twice"),
        pytest.param(header_block(agi_calleridname="Eve\x1b"), id="a control character"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\n\n", id="a browser"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\n\n", id="tls"),
        pytest.param(b"\n\n", id="nothing"),
    ],
)
async def test_a_block_that_asterisk_never_writes_reaches_no_call(block: bytes, kept: Kept) -> None:
    async def on_call(leg: CallLeg, _path: str) -> None:
        await kept.of(leg.answer())

    async with ours(on_call) as server, AgiCaller(server.port, block) as caller:
        assert await caller.end() == b""

    assert not kept.values


async def test_plain_panoramisk_takes_a_block_of_any_size(kept: Kept) -> None:
    async def route(request: Request) -> None:
        await kept.of(asyncio.sleep(0, len(request.headers["agi_arg_2"])))

    block = header_block(agi_arg_2="x" * 300_000)
    async with plain(route) as port, AgiCaller(port, block):
        await kept.end()

    assert kept.values == [300_000]


async def test_plain_panoramisk_believes_the_second_of_two_headers(kept: Kept) -> None:
    async def route(request: Request) -> None:
        await kept.of(asyncio.sleep(0, request.headers["agi_callerid"]))

    forged = header_block()[:-1] + b"agi_callerid: forged\n\n"
    async with plain(route) as port, AgiCaller(port, forged):
        await kept.end()

    assert kept.values == ["forged"]


async def test_bytes_that_are_no_utf8_lose_plain_panoramisk_the_call(kept: Kept) -> None:
    block = header_block().replace(b"Eve", b"Jos\xe9")
    failures: list[dict[str, Any]] = []  # Any: as the loop reports them
    asyncio.get_running_loop().set_exception_handler(lambda _loop, why: failures.append(why))

    async def route(request: Request) -> None:
        await kept.of(request.send_command("ANSWER"))

    async def on_call(leg: CallLeg, _path: str) -> None:
        await kept.of(asyncio.sleep(0, leg.facts.caller_name))

    async with plain(route) as port, AgiCaller(port, block):
        await until(lambda: failures)
    assert isinstance(failures[0]["exception"], UnicodeDecodeError)
    assert not kept.values

    async with ours(on_call) as server, AgiCaller(server.port, block):
        await kept.end()
    assert kept.values == ["Jos\N{REPLACEMENT CHARACTER}"]


# Commands and replies


AFTER_HANGUP = ["200 result=-1", "HANGUP"], ["200 result=1 (1700000000.7)"], ["200 result=1 (42)"]


async def test_after_a_hangup_line_every_reply_is_the_commands_own(kept: Kept) -> None:
    async def session(request: AgiRequest) -> None:
        await kept.of(
            request.send_command('EXEC Dial "x"'),
            request.send_command("GET VARIABLE UNIQUEID"),
            request.send_command("GET VARIABLE N"),
        )
        assert request.hung_up

    async with ours(commands(session)) as server, AgiCaller(server.port) as caller:
        for lines in AFTER_HANGUP:
            await caller.answer(*lines)
        await kept.end()

    assert kept.values == [Reply(200, "-1"), Reply(200, "1", "1700000000.7"), Reply(200, "1", "42")]


async def test_after_a_hangup_line_replies_of_plain_panoramisk_shift_by_one(kept: Kept) -> None:
    async def route(request: Request) -> None:
        await kept.of(
            request.send_command('EXEC Dial "x"'),
            request.send_command("GET VARIABLE UNIQUEID"),
            request.send_command("GET VARIABLE N"),
        )

    async with plain(route) as port, AgiCaller(port) as caller:
        for lines in AFTER_HANGUP:
            await caller.answer(*lines)
        await kept.end()

    assert kept.values[1]["error"] == "AGIResultHangup"
    assert kept.values[2]["result"] == ("1", "1700000000.7")


USAGE = (
    "520-Invalid command syntax.  Proper usage follows:",
    "Usage: GET VARIABLE <name>",
    "200 result=1 (a line of the usage text)",
    "520 End of proper usage.",
)


async def test_a_usage_text_is_read_to_its_end(kept: Kept) -> None:
    async def session(request: AgiRequest) -> None:
        await kept.of(request.send_command("GET"), request.send_command("NOOP"))

    async with ours(commands(session)) as server, AgiCaller(server.port) as caller:
        await caller.answer(*USAGE)
        await caller.answer("200 result=7")
        await kept.end()

    assert [(reply.code, reply.result) for reply in kept.values] == [(520, ""), (200, "7")]


async def test_a_usage_text_becomes_the_next_reply_of_plain_panoramisk(kept: Kept) -> None:
    async def route(request: Request) -> None:
        await kept.of(request.send_command("GET"), request.send_command("NOOP"))

    async with plain(route) as port, AgiCaller(port) as caller:
        await caller.answer(*USAGE)
        await caller.answer("200 result=7")
        await kept.end()

    assert kept.values[1]["result"] == ("1", "a line of the usage text")


INJECTED = 'GET VARIABLE x\nEXEC System "id"'


async def test_a_line_feed_never_becomes_a_second_command(kept: Kept) -> None:
    async def session(request: AgiRequest) -> None:
        await kept.of(request.send_command(INJECTED), request.send_command("NOOP"))

    async with ours(commands(session)) as server, AgiCaller(server.port) as caller:
        first = await caller.answer("200 result=0")
        await kept.end()

    assert first == "NOOP"
    assert kept.values == [LegFailed, Reply(200, "0")]


async def test_a_line_feed_becomes_a_second_command_of_plain_panoramisk(kept: Kept) -> None:
    async def route(request: Request) -> None:
        await kept.of(request.send_command(INJECTED))

    async with plain(route) as port, AgiCaller(port) as caller:
        said = [await caller.answer("200 result=0"), await caller.command()]

    assert said == ["GET VARIABLE x", 'EXEC System "id"']


async def test_a_reply_that_comes_too_late_is_nobodys(kept: Kept) -> None:
    async def session(request: AgiRequest) -> None:
        await kept.of(
            request.send_command("GET VARIABLE SLOW", seconds_max=0.05),
            request.send_command("GET VARIABLE PIN"),
        )

    async with ours(commands(session)) as server, AgiCaller(server.port) as caller:
        await caller.command()
        await kept.end()
        caller.say(b"200 result=1 (late)\n")
        rest = await caller.end()

    assert kept.values == [LegFailed, LegFailed]
    assert rest == b"", "a command after the deadline"


async def test_a_late_reply_becomes_the_next_ones_of_plain_panoramisk(kept: Kept) -> None:
    async def route(request: Request) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(request.send_command("GET VARIABLE SLOW"), 0.05)
        await kept.of(request.send_command("GET VARIABLE PIN"))

    async with plain(route) as port, AgiCaller(port) as caller:
        await caller.command()
        await caller.command()
        caller.say(b"200 result=1 (late)\n")
        await kept.end()

    assert kept.values[0]["result"] == ("1", "late")


async def test_after_a_command_that_was_cancelled_nothing_is_said(kept: Kept) -> None:
    async def session(request: AgiRequest) -> None:
        slow = asyncio.create_task(request.send_command("GET VARIABLE SLOW"))
        await asyncio.wait([slow], timeout=0.05)
        slow.cancel()
        await asyncio.wait([slow])
        await kept.of(request.send_command("GET VARIABLE PIN"))

    async with ours(commands(session)) as server, AgiCaller(server.port) as caller:
        said = [await caller.command(), (await caller.end()).decode()]

    assert said == ["GET VARIABLE SLOW", ""]
    assert kept.values == [LegFailed]


async def test_two_tasks_take_turns_and_each_gets_its_own_reply(kept: Kept) -> None:
    async def session(request: AgiRequest) -> None:
        names = [f"GET VARIABLE V{number}" for number in range(20)]
        await kept.of(asyncio.gather(*map(request.send_command, names)))

    async with ours(commands(session)) as server, AgiCaller(server.port) as caller:
        for _ in range(20):
            command = await caller.command()
            caller.say(f"200 result=1 ({command.removeprefix('GET VARIABLE ')})\n".encode())
        await kept.end()

    assert [reply.data for reply in kept.values[0]] == [f"V{number}" for number in range(20)]


async def test_two_tasks_break_plain_panoramisk(kept: Kept) -> None:
    async def route(request: Request) -> None:
        pair = asyncio.create_task(request.send_command("A"))
        await asyncio.sleep(0)
        await kept.of(request.send_command("B"))
        await pair

    async with plain(route) as port, AgiCaller(port) as caller:
        said = [await caller.command(), await caller.command()]
        await kept.end()
        caller.say(b"200 result=0\n")

    assert said == ["A", "B"], "both at once"
    assert kept.values == [RuntimeError]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"511 Command Not Permitted on a dead channel\n", CallerHungUp),
        (b"HANGUP\n200 result=-1\n", CallerHungUp),
        (b"\n", LegFailed),
        (b"200\n", LegFailed),
        (b"HTTP/1.1 200 OK\r\n", LegFailed),
        (b"200 result=" + b"1" * 100_000 + b"\n", LegFailed),
        (b"100 Trying\n" * 10_000, LegFailed),
        (b"HANGUP\n" * 10_000, LegFailed),
        (b"520-Usage\n" + b"line\n" * 10_000, LegFailed),
        (b"\xff\xfe\n", LegFailed),
    ],
)
async def test_each_way_to_answer_badly_has_one_error(
    said: bytes, error: type[Exception], kept: Kept
) -> None:
    async def session(request: AgiRequest) -> None:
        await kept.of(request.send_command("ANSWER"))

    async with ours(commands(session)) as server, AgiCaller(server.port) as caller:
        await caller.command()
        caller.say(said)
        await kept.end()

    assert kept.values == [error]


@pytest.mark.parametrize(
    ("said", "way", "error"),
    [
        (b"", "hang_up", CallerHungUp),
        (b"", "reset", CallerHungUp),
        (b"HANGUP\n", "hang_up", CallerHungUp),
        (b"200 resu", "hang_up", LegFailed),
    ],
)
async def test_an_end_instead_of_a_reply_is_a_hangup_unless_a_reply_was_torn(
    said: bytes, way: str, error: type[Exception], kept: Kept
) -> None:
    async def session(request: AgiRequest) -> None:
        await kept.of(request.send_command("ANSWER"), request.send_command("NOOP"))

    async with ours(commands(session)) as server, AgiCaller(server.port) as caller:
        await caller.command()
        caller.say(said)
        getattr(caller, way)()
        await kept.end()

    assert kept.values == [error, error]


async def test_an_end_instead_of_a_reply_is_a_value_error_of_plain_panoramisk(kept: Kept) -> None:
    async def route(request: Request) -> None:
        await kept.of(request.send_command("ANSWER"))

    async with plain(route) as port, AgiCaller(port) as caller:
        await caller.command()
        caller.hang_up()
        await kept.end()

    assert kept.values == [ValueError]


# The listener


async def test_the_end_of_the_service_cancels_its_calls_and_waits_for_none(kept: Kept) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def on_call(leg: CallLeg, _path: str) -> None:
        began.set()
        try:
            await leg.answer()
        except asyncio.CancelledError:
            ended.set()
            raise

    async with ours(on_call) as server, AgiCaller(server.port) as caller:
        await began.wait()
        async with asyncio.timeout(WAIT_SECONDS):
            await server.__aexit__(None, None, None)
        await caller.end()

    assert ended.is_set()


async def test_plain_panoramisk_swallows_that_a_call_was_cancelled() -> None:
    tasks: list[asyncio.Task[Any]] = []  # Any: the task of a library

    async def route(_request: Request) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        await asyncio.Event().wait()

    async with plain(route) as port, AgiCaller(port):
        await until(lambda: tasks)
        tasks[0].cancel()
        await asyncio.wait(tasks, timeout=WAIT_SECONDS)

    assert tasks[0].done()
    assert not tasks[0].cancelled()


async def test_a_handler_that_fails_costs_its_own_call_only() -> None:
    failures = iter([ValueError("a bug"), LegFailed("gone"), CallerHungUp()])

    async def on_call(leg: CallLeg, _path: str) -> None:
        for failure in failures:
            raise failure
        await leg.answer()

    async with ours(on_call) as server:
        for _ in range(3):
            async with AgiCaller(server.port) as caller:
                assert await caller.end() == b""

        assert await is_served(server.port)


async def test_who_is_not_on_the_list_is_closed_before_he_is_heard(kept: Kept) -> None:
    async def on_call(leg: CallLeg, _path: str) -> None:
        await kept.of(leg.answer())

    peers = frozenset({"192.0.2.1"})
    async with ours(on_call, peers=peers) as server, AgiCaller(server.port) as caller:
        assert await caller.end() == b""
        assert server.sessions == 0

    assert not kept.values


async def test_one_connection_too_many_is_closed_and_the_others_stay() -> None:
    async def answer(leg: CallLeg, _path: str) -> None:
        await leg.answer()
        await leg.finish()

    async with (
        ours(answer, connections_max=2) as server,
        AgiCaller(server.port) as first,
        AgiCaller(server.port) as second,
    ):
        await first.command()
        await second.command()
        async with AgiCaller(server.port) as third:
            assert await third.end() == b""
        first.say(b"200 result=0\n")

        assert await first.command() == "SET VARIABLE TALKMETER_DONE 1"
        first.hang_up()
        await until(lambda: server.sessions == 1)
        assert await is_served(server.port)


async def test_what_asterisk_told_reaches_the_call_and_the_query_does_not(kept: Kept) -> None:
    async def on_call(leg: CallLeg, path: str) -> None:
        await kept.of(asyncio.sleep(0, path), asyncio.sleep(0, leg.facts))

    block = header_block(agi_network_script="farewell?x=1")
    async with ours(on_call) as server, AgiCaller(server.port, block):
        await kept.end()

    assert kept.values == [
        "farewell",
        CallFacts(
            node="node-1",
            channel="PJSIP/trunk-00000001",
            uniqueid="1700000000.7",
            did="30900",
            caller_number="4930123456",
            caller_name="Eve",
        ),
    ]


async def test_a_block_that_comes_byte_by_byte_is_whole_in_the_end(kept: Kept) -> None:
    async def on_call(leg: CallLeg, _path: str) -> None:
        await kept.of(asyncio.sleep(0, leg.facts.caller_number))

    async with ours(on_call) as server, AgiCaller(server.port, b"") as caller:
        for byte in header_block():
            caller.say(bytes([byte]))
            await asyncio.sleep(0)
        await kept.end()

    assert kept.values == ["4930123456"]


@pytest.mark.parametrize("turns", range(6))
async def test_who_comes_as_the_server_closes_is_not_left_waiting(turns: int):
    """Each number of turns of the loop is one way in which the two can meet."""

    async def on_call(_leg: CallLeg, _path: str) -> None:
        raise AssertionError("nobody said what it wants")

    async with AgiServer("127.0.0.1", 0, on_call=on_call) as server:
        with contextlib.closing(socket.create_connection(("127.0.0.1", server.port))) as peer:
            for _ in range(turns):
                await asyncio.sleep(0)
            await server.__aexit__(None, None, None)
            peer.settimeout(WAIT_SECONDS)
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.to_thread(peer.recv, 1) == b""
