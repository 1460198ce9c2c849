"""`Switch` over AMI: limits, hangups, whispers, and the list of live channels."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from ivr.ami.link import ActionFailed, AmiLink
from ivr.telephony import (
    ChannelGone,
    ChannelList,
    LiveChannel,
    SwitchEvent,
    SwitchUnavailable,
)

GONE: Final = "No such channel"
_CHANNEL = re.compile(r"[A-Za-z0-9./@:;_+-]{1,120}", re.ASCII)
_PROMPT = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)


class AmiSwitch:
    """Asterisk, as the calls see it."""

    def __init__(self, link: AmiLink) -> None:
        self._link = link

    @property
    def boot(self) -> str:
        """When this Asterisk started, by its own word; empty while the link is down."""
        return self._link.boot

    def subscribe(self, handler: Callable[[SwitchEvent], None]) -> None:
        """Hand each event to `handler`, in order."""
        self._link.subscribe(handler)

    async def set_limit(self, channel: str, seconds: float) -> None:
        """Move AbsoluteTimeout, which counts from now; it shortens and extends."""
        await self._on_channel(
            {"Action": "AbsoluteTimeout", "Channel": channel, "Timeout": f"{seconds:.3f}"}
        )

    async def hang_up(self, channel: str) -> None:
        """Hang a channel up; one that is gone already is no error."""
        try:
            await self._on_channel({"Action": "Hangup", "Channel": channel})
        except ChannelGone:
            return

    async def whisper(self, channel: str, prompts: Sequence[str]) -> None:
        """Speak to one party of a talk; ChanSpy mixes it into what that party hears."""
        if not _CHANNEL.fullmatch(channel) or not all(map(_PROMPT.fullmatch, prompts)):
            raise SwitchUnavailable("a name that cannot be sent")
        await self._link.request(
            {
                "Action": "Originate",
                "Channel": "Local/s@talkmeter-whisper/n",
                "Application": "ChanSpy",
                "Data": f"{channel},qwE",  # with B the other party hears it too
                "Variable": "TALKMETER_SAY=" + "&".join(f"talkmeter/{name}" for name in prompts),
                "Async": "true",
            }
        )

    async def channels(self) -> ChannelList:
        """List the live channels, complete by Asterisk's own count."""
        boot = self._link.boot
        messages = await self._link.request(
            {"Action": "CoreShowChannels"}, until="CoreShowChannelsComplete"
        )
        rows = [dict(message) for message in messages]
        channels = tuple(
            LiveChannel(
                channel=row.get("Channel", ""),
                uniqueid=row.get("Uniqueid", ""),
                linkedid=row.get("Linkedid", ""),
                bridge=row.get("BridgeId", ""),
            )
            for row in rows
            if row.get("Event") == "CoreShowChannel"
        )
        if rows[-1].get("ListItems") != str(len(channels)) or not boot or boot != self._link.boot:
            raise SwitchUnavailable("an incomplete list of channels")
        return ChannelList(boot=boot, channels=channels)

    async def _on_channel(self, fields: dict[str, str]) -> None:
        if not _CHANNEL.fullmatch(fields["Channel"]):
            raise ChannelGone("not the name of a channel")
        try:
            await self._link.request(fields)
        except ActionFailed as error:
            if GONE.lower() in error.reason.lower():
                raise ChannelGone(fields["Channel"]) from None
            raise
