"""The queues of the directory inside Asterisk: a file it includes, and a word to read it again.

    directory changed, or Asterisk was restarted -> write node/queues.conf -> QueueReload

Agents that are away stand in no queue. A call that waits or talks is not touched by a reload.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

import structlog

from ivr.agi.leg import QUEUE_PREFIX, dial_target
from ivr.ami.link import AmiLink
from ivr.ami.switch import STATE
from ivr.directory.model import Directory
from ivr.directory.queues import members
from ivr.telephony import Switch, SwitchUnavailable

LOOK_SECONDS: Final = 0.5
# In the folder that Asterisk shares with us.
QUEUES_FILE: Final = "queues.conf"

log = structlog.get_logger()


def queues_conf(directory: Directory) -> str:
    """Write all queues; names and destinations are checked where they are read."""
    lines = ["; Written by Talkmeter; changes are lost."]
    for name, queue in sorted(directory.queues.items()):
        lines += [
            "",
            f"[{QUEUE_PREFIX}{name}](talkmeter)",
            f"strategy={queue.strategy}",
            f"timeout={queue.ring_seconds}",
            f"wrapuptime={queue.wrap_up_seconds}",
        ]
        for agent in members(queue, directory.away):
            # A phone that is dialled by its address has no state of its own, and a queue rings no
            # phone without one: the dialplan sets this one while the agent talks.
            target = dial_target(str(agent.destination))
            member = f"{queue.client}.{agent.code}"
            lines.append(f"member => {target},0,{member},{STATE}{member}")
    return "\n".join(lines) + "\n"


class QueueKeeper:
    """Keeps the file and Asterisk's queues as the directory says."""

    def __init__(
        self,
        link: AmiLink,
        switch: Switch,
        directory: Callable[[], Directory],
        file: Path,
    ) -> None:
        self._link = link
        self._switch = switch
        self._directory = directory
        self._file = file
        self._read: tuple[str, str] | None = None  # boot and text that Asterisk knows

    async def run(self) -> NoReturn:
        """Follow the directory for ever."""
        while True:
            try:
                await self.keep()
            except (SwitchUnavailable, OSError) as error:
                log.warning("queues not written", reason=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def keep(self) -> None:
        """Write and reload where anything changed; waits for a link."""
        wanted = (self._link.boot, queues_conf(self._directory()))
        if not wanted[0] or wanted == self._read:
            return
        if self._read is None or self._read[0] != wanted[0]:
            await self._free_all()
        await asyncio.to_thread(self._write, wanted[1])
        await self._link.request(
            {"Action": "QueueReload", "Members": "yes", "Parameters": "yes", "Rules": "no"}
        )
        self._read = wanted
        directory = self._directory()
        log.info("queues written", queues=len(directory.queues), away=len(directory.away))

    async def _free_all(self) -> None:
        """Nobody talks in an Asterisk that was just started, whatever it remembers."""
        if self._read is None:
            # The service was restarted, Asterisk perhaps not: its talks go on.
            found = await self._switch.channels()
            if any(channel.bridge for channel in found.channels):
                return
        for queue in self._directory().queues.values():
            for agent in queue.agents:
                name = f"{STATE}{queue.client}.{agent.code}"
                await self._link.request(
                    {
                        "Action": "Setvar",
                        "Variable": f"DEVICE_STATE({name})",
                        "Value": "NOT_INUSE",
                    }
                )

    def _write(self, text: str) -> None:
        part = self._file.with_name(f"{self._file.name}.part")
        part.write_text(text, encoding="ascii")
        part.replace(self._file)
