"""Is a private Asterisk there? Its manager greets, it says that it is booted, its SIP answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
from pathlib import Path
from typing import Final

from ivr.sandbox import sip
from ivr.sandbox.dialog import LOOPBACK, new_call_id, new_tag

LOOK_SECONDS: Final = 0.05
GREETING: Final = b"Asterisk Call Manager/"


async def until_ready(
    command: tuple[str, ...], config: Path, *, ami_port: int, sip_port: int
) -> None:
    """Wait until calls can come. The caller sets the deadline.

    The manager listens before all modules are up, and a signal in between is lost: so Asterisk
    itself is asked as well, and then its SIP.
    """
    while not await _greets(ami_port):  # noqa: ASYNC110 - a port tells nobody when it opens
        await asyncio.sleep(LOOK_SECONDS)
    while not await _booted(command, config):  # noqa: ASYNC110 - as above, its control socket
        await asyncio.sleep(LOOK_SECONDS)
    while not await _answers_sip(sip_port):
        continue


def sip_port_is_free(port: int) -> bool:
    """Tell whether nobody has this UDP port; Asterisk would start without SIP otherwise."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


async def _greets(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    try:
        return (await reader.readline()).startswith(GREETING)
    except (OSError, ValueError):
        return False
    finally:
        writer.close()


async def _booted(command: tuple[str, ...], config: Path) -> bool:
    process = await asyncio.create_subprocess_exec(
        *command,
        "-C",
        str(config),
        "-rx",
        "core waitfullybooted",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _answers_sip(port: int) -> bool:
    """Ask with OPTIONS; any SIP answer will do."""
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Answer(answered), local_addr=(LOOPBACK, 0)
    )
    try:
        here = f"{LOOPBACK}:{transport.get_extra_info('sockname')[1]}"
        there = f"sip:{LOOPBACK}:{port}"
        request = sip.build(
            f"OPTIONS {there} SIP/2.0",
            [
                ("Via", f"SIP/2.0/UDP {here};branch=z9hG4bK{new_tag()};rport"),
                ("Max-Forwards", "70"),
                ("From", f"<sip:ready@{here}>;tag={new_tag()}"),
                ("To", f"<{there}>"),
                ("Call-ID", new_call_id()),
                ("CSeq", "1 OPTIONS"),
                ("Contact", f"<sip:ready@{here}>"),
            ],
        )
        transport.sendto(request, (LOOPBACK, port))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await answered
        return answered.done() and not answered.cancelled()
    finally:
        transport.close()


class _Answer(asyncio.DatagramProtocol):
    def __init__(self, answered: asyncio.Future[None]) -> None:
        self._answered = answered

    def datagram_received(self, data: bytes, _address: tuple[str, int]) -> None:
        if data.startswith(b"SIP/2.0 ") and not self._answered.done():
            self._answered.set_result(None)
