"""`Switch` over AMI: limits, hangups, whispers, and the list of live channels."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from ivr.agi.leg import dial_target
from ivr.ami.events import EventNotBelieved, values_of
from ivr.ami.link import ActionFailed, AmiLink
from ivr.telephony import (
    ChannelGone,
    ChannelList,
    LiveChannel,
    SwitchEvent,
    SwitchUnavailable,
)

# What the dialplan calls the state of an agent.
STATE: Final = "Custom:tm-"
GONE: Final = "no such channel"
LIMIT_SECONDS_MIN: Final = 0.1  # zero is refused
PROMPTS_MAX: Final = 20
LISTEN_RING_SECONDS: Final = 30
LISTEN_SECONDS_MAX: Final = 4 * 3600
# A name that begins with a slash would be a regular expression to Hangup.
_CHANNEL = re.compile(r"[A-Za-z][A-Za-z0-9./@:;_+-]{0,119}", re.ASCII)
_PROMPT = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_CALLBACK = re.compile(r"[0-9a-f-]{36}", re.ASCII)
_UNIQUEID = re.compile(r"[0-9]{1,12}\.[0-9]{1,10}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{2,20}", re.ASCII)
_MEMBER = re.compile(r"[a-z0-9_.-]{0,129}", re.ASCII)
_ROW: Final = frozenset({"Event", "Channel", "Uniqueid", "Linkedid", "BridgeId", "AccountCode"})


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
        timeout = f"{max(LIMIT_SECONDS_MIN, seconds):.3f}"
        await self._on_channel(
            {"Action": "AbsoluteTimeout", "Channel": channel, "Timeout": timeout}
        )

    async def hang_up(self, channel: str) -> None:
        """Hang a channel up; one that is gone already is no error."""
        try:
            await self._on_channel({"Action": "Hangup", "Channel": channel})
        except ChannelGone:
            return

    async def whisper(self, channel: str, prompts: Sequence[str]) -> None:
        """Speak to one party of a talk; ChanSpy mixes it into what that party hears."""
        names_are_safe = _CHANNEL.fullmatch(channel) and all(map(_PROMPT.fullmatch, prompts))
        if not names_are_safe or not 0 < len(prompts) <= PROMPTS_MAX:
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

    async def call_back(
        self, destination: str, callback: str, *, ring_seconds: int, caller_id: str, member: str
    ) -> None:
        """Originate a call to an agent; the dialplan hands it to the service when it answers."""
        names_are_safe = (
            _CALLBACK.fullmatch(callback)
            and _NUMBER.fullmatch(caller_id)
            and _MEMBER.fullmatch(member)
        )
        if not names_are_safe:
            raise SwitchUnavailable("a name that cannot be sent")
        await self._link.request(
            {
                "Action": "Originate",
                "Channel": dial_target(destination),
                "Context": "talkmeter-callback",
                "Exten": "s",
                "Priority": "1",
                "Timeout": str(ring_seconds * 1000),
                "CallerID": caller_id,
                "Variable": f"TALKMETER_CALLBACK={callback},TALKMETER_MEMBER={member}",
                "Async": "true",
            }
        )

    async def listen(self, destination: str, channel: str, listening: str) -> None:
        """Originate a call to a phone and let it spy: `q` says nothing first, `E` ends with it.

        Without `w` and `W` nothing that is said there reaches anybody.
        """
        if not (_CHANNEL.fullmatch(channel) and _CALLBACK.fullmatch(listening)):
            raise SwitchUnavailable("a name that cannot be sent")
        await self._link.request(
            {
                "Action": "Originate",
                "Channel": dial_target(destination),
                "Application": "ChanSpy",
                "Data": f"{channel},qE",
                "ChannelId": listening,
                "Timeout": str(LISTEN_RING_SECONDS * 1000),
                "Variable": f"TIMEOUT(absolute)={LISTEN_SECONDS_MAX}",
                "Async": "true",
            }
        )

    async def consult(self, channel: str, uniqueid: str) -> None:
        """Send an agent's channel to where it dials somebody else."""
        if not _UNIQUEID.fullmatch(uniqueid):
            raise SwitchUnavailable("a name that cannot be sent")
        await self._on_channel(
            {
                "Action": "Redirect",
                "Channel": channel,
                "Context": "talkmeter-consulting",
                "Exten": uniqueid,
                "Priority": "1",
            }
        )

    async def is_free(self, member: str) -> bool:
        """Ask for the state that the dialplan sets while an agent of a queue talks."""
        if not _MEMBER.fullmatch(member):
            raise SwitchUnavailable("a name that cannot be sent")
        answer = await self._link.request(
            {"Action": "Getvar", "Variable": f"DEVICE_STATE({STATE}{member})"}
        )
        return dict(answer[0]).get("Value") != "INUSE"

    async def channels(self) -> ChannelList:
        """List the live channels, complete by Asterisk's own count."""
        boot = self._link.boot
        messages = await self._link.request(
            {"Action": "CoreShowChannels"}, until="CoreShowChannelsComplete"
        )
        first, last = dict(messages[0]), dict(messages[-1])
        try:
            channels = tuple(
                LiveChannel(
                    channel=row["Channel"],
                    uniqueid=row["Uniqueid"],
                    linkedid=row["Linkedid"],
                    bridge=row["BridgeId"],
                    agent=row.get("AccountCode", ""),
                )
                for row in (values_of(message, _ROW) for message in messages[1:-1])
            )
        except (EventNotBelieved, KeyError):
            raise SwitchUnavailable("an unreadable list of channels") from None
        complete = (
            first.get("Response") == "Success"
            and last.get("EventList") == "Complete"
            and last.get("ListItems") == str(len(channels))
        )
        if not complete or not boot or boot != self._link.boot:
            raise SwitchUnavailable("an incomplete list of channels")
        return ChannelList(boot=boot, channels=channels)

    async def _on_channel(self, fields: dict[str, str]) -> None:
        if not _CHANNEL.fullmatch(fields["Channel"]):
            raise ChannelGone("not the name of a channel")
        try:
            await self._link.request(fields)
        except ActionFailed as error:
            if GONE in error.reason.lower():
                raise ChannelGone(fields["Channel"]) from None
            raise
