"""SIPp as caller and as agent: real SIP, real RTP, real DTMF, from a process of its own.

A scenario is made from a few facts (when to press what, when to hang up) so that each test reads as
the story of one call. Digits go as RFC 4733 events; audio is a loop of G.711 silence.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from ivr.sandbox.configure import free_port


def free_udp_port() -> int:
    return free_port(socket.SOCK_DGRAM)


def pause(seconds: float) -> str:
    return f'  <pause milliseconds="{int(seconds * 1000)}"/>\n'


def audio(file: Path) -> str:
    return f'  <nop><action><exec rtp_stream="{file},-1,0"/></action></nop>\n'


def press(digit: str) -> str:
    """A digit as RFC 4733 events from the media port."""
    return f'  <nop><action><exec play_dtmf="{digit}"/></action></nop>\n'


INFO = """  <send retrans="500"><![CDATA[
      INFO [next_url] SIP/2.0
      Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
      From: "caller" <sip:{caller}@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
      To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: [cseq] INFO
      Max-Forwards: 70
      Content-Type: application/dtmf-relay
      Content-Length: [len]

      Signal={digit}
      Duration=160
  ]]></send>
  <recv response="200"/>
"""


SDP = """
      v=0
      o=sipp 53655765 2353687637 IN IP4 127.0.0.1
      s=-
      c=IN IP4 127.0.0.1
      t=0 0
      m=audio [{media}] RTP/AVP 0 96
      a=rtpmap:0 PCMU/8000
      a=rtpmap:96 telephone-event/8000
      a=fmtp:96 0-15
      a=sendrecv
"""

INVITE = """  <send retrans="500"><![CDATA[
      INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
      From: "caller" <sip:{caller}@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
      To: <sip:[service]@[remote_ip]:[remote_port]>
      Call-ID: [call_id]
      CSeq: 1 INVITE
      Contact: <sip:{caller}@[local_ip]:[local_port]>
      Max-Forwards: 70
      Content-Type: application/sdp
      Content-Length: [len]
{sdp}  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
      ACK [next_url] SIP/2.0
      Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
      From: "caller" <sip:{caller}@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
      To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: 1 ACK
      Max-Forwards: 70
      Content-Length: 0
  ]]></send>
"""

BYE = """  <send retrans="500"><![CDATA[
      BYE [next_url] SIP/2.0
      Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
      From: "caller" <sip:{caller}@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
      To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: [cseq] BYE
      Max-Forwards: 70
      Content-Length: 0
  ]]></send>
  <recv response="200"/>
"""

AWAIT_BYE = """  <recv request="BYE" timeout="{milliseconds}"/>
  <send><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0
  ]]></send>
"""

KEEP_NAMES = """  <recv request="INVITE" rrs="true"><action>
    <ereg regexp=".*" search_in="hdr" header="From:" assign_to="calling"/>
    <ereg regexp=".*" search_in="hdr" header="To:" assign_to="called"/>
  </action></recv>
"""
PLAIN_INVITE = '  <recv request="INVITE" rrs="true"/>\n'

ANSWER = """{invite}  <send><![CDATA[
      SIP/2.0 180 Ringing
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]SIPpAgent[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:[local_ip]:[local_port]>
      Content-Length: 0
  ]]></send>
{ringing}  <send retrans="500"><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]SIPpAgent[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:[local_ip]:[local_port]>
      Content-Type: application/sdp
      Content-Length: [len]
{sdp}  ]]></send>
  <recv request="ACK"/>
"""

AGENT_BYE = """  <send retrans="500"><![CDATA[
      BYE [next_url] SIP/2.0
      Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
      From: [$called];tag=[pid]SIPpAgent[call_number]
      To: [$calling]
      Call-ID: [call_id]
      CSeq: 1 BYE
      Max-Forwards: 70
      Content-Length: 0
  ]]></send>
  <recv response="200"/>
"""


def sdp(sound: Path | None) -> str:
    return SDP.replace("{media}", "rtpstream_audio_port" if sound else "media_port")


def scenario(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="talkmeter">\n'
        f"{body}</scenario>\n"
    )


@dataclass(kw_only=True)
class Sipp:
    """One SIPp process and where it leaves its traces."""

    folder: Path
    arguments: list[str]
    process: asyncio.subprocess.Process | None = field(default=None)

    async def __aenter__(self) -> Self:
        with (self.folder / "stderr.txt").open("wb") as errors:
            self.process = await asyncio.create_subprocess_exec(
                shutil.which("sipp") or "sipp",
                *self.arguments,
                "-nostdin",
                cwd=self.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=errors,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def saw(self, text: str, seconds_max: float = 20) -> None:
        """Wait until a SIP message with this text went by."""
        async with asyncio.timeout(seconds_max):
            while not any(  # noqa: ASYNC110 - a file tells nobody that it grew
                text in file.read_text(errors="replace")
                for file in self.folder.glob("*_messages.log")
            ):
                await asyncio.sleep(0.02)  # SIPp tells nobody what it saw

    async def finished(self, seconds_max: float = 60) -> int:
        assert self.process is not None
        async with asyncio.timeout(seconds_max):
            return await self.process.wait()


def caller(
    folder: Path,
    *,
    sip_port: int,
    did: str,
    number: str,
    digits: list[tuple[float, str]],
    hang_up_after: float | None,
    listen_seconds: float = 60,
    sound: Path | None = None,
) -> Sipp:
    """A caller that presses each digit so many seconds after the step before, then hangs up
    after a while, or waits to be hung up on."""
    # With a sound, audio leaves from SIPp's stream port and digits go by SIP INFO; without, digits
    # are RFC 4733 events, which SIPp sends from its media port.
    body = INVITE.format(caller=number, sdp=sdp(sound)) + (audio(sound) if sound else "")
    for after, keys in digits:
        body += pause(after)
        for key in keys:
            body += INFO.format(caller=number, digit=key) if sound else press(key)
            body += pause(0.35)
    if hang_up_after is None:
        body += AWAIT_BYE.format(milliseconds=int(listen_seconds * 1000))
    else:
        body += pause(hang_up_after) + BYE.format(caller=number)
    return program(folder, "caller", body, [f"127.0.0.1:{sip_port}", "-s", did, "-m", "1"])


def agent(
    folder: Path,
    *,
    port: int,
    ring_seconds: float = 0.1,
    talk_seconds: float | None = None,
    calls: int = 1,
    sound: Path | None = None,
) -> Sipp:
    """An agent that answers after a while, and hangs up after `talk_seconds` or never."""
    invite = PLAIN_INVITE if talk_seconds is None else KEEP_NAMES
    body = ANSWER.format(invite=invite, ringing=pause(ring_seconds), sdp=sdp(sound))
    body += audio(sound) if sound else ""
    if talk_seconds is None:
        body += AWAIT_BYE.format(milliseconds=120_000)
    else:
        body += pause(talk_seconds) + AGENT_BYE
    return program(folder, "agent", body, ["-m", str(calls)], port=port)


REJECT = """  <recv request="INVITE"/>
  <send retrans="500"><![CDATA[
      SIP/2.0 {status}
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]SIPpAgent[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0
  ]]></send>
  <recv request="ACK"/>
"""


def rejecting_agent(folder: Path, *, port: int, status: str) -> Sipp:
    """An agent whose phone does not take the call."""
    return program(folder, "agent", REJECT.format(status=status), ["-m", "1"], port=port)


def program(
    folder: Path,
    name: str,
    body: str,
    arguments: list[str],
    *,
    port: int | None = None,
    trace: bool = True,
) -> Sipp:
    """A SIPp process that plays a scenario."""
    home = folder / f"{name}-{port or free_udp_port()}"
    home.mkdir(parents=True)
    file = home / f"{name}.xml"
    file.write_text(scenario(body), encoding="latin-1")
    media = free_udp_port()
    return Sipp(
        folder=home,
        arguments=[
            "-sf", str(file), "-i", "127.0.0.1", "-mi", "127.0.0.1",
            "-p", str(port or free_udp_port()), "-mp", str(media),
            "-trace_err", *(["-trace_msg"] if trace else []), "-timeout", "600", *arguments,
        ],
    )  # fmt: skip
