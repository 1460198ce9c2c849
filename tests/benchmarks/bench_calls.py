"""CPU per call, setup latency and clean rate: plain dialplan, raw FastAGI and the product.

The three are called in turns on the same Asterisk with the same SIPp scenario:
INVITE -> answer -> prompt -> one digit -> agent answers -> some seconds of talk -> BYE.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ivr.sandbox.asterisk import PrivateAsterisk
from ivr.sandbox.configure import free_port
from ivr.sandbox.fetch import ensure
from tests.benchmarks.report import Figure
from tests.e2e import sipp
from tests.e2e.harness import line_under_test, short_prompts
from tests.e2e.sipp import free_udp_port

PLAIN, RAW, PRODUCT = "1000", "2000", "18005550100"
RATE = 20
CALLS = 200
TALK_SECONDS = 3.0
# What is told is not what is measured: the product tells a price where the floors tell nothing.
PROMPT_SECONDS = 0.001
DIGIT_AFTER_SECONDS = 1.0
TURNS = 2
TICKS = os.sysconf("SC_CLK_TCK")
STEP_SECONDS = 10
RATES = (30, 45, 60, 80, 100)

DIALPLAN = """
[talkmeter-in]
exten => 1000,1,Answer()
 same => n,Read(D,talkmeter/welcome,1,,1,10)
 same => n,Playback(talkmeter/connecting)
 same => n,Dial(PJSIP/agents/{agent},30)
 same => n,Hangup()
exten => 2000,1,Set(AGIEXITONHANGUP=yes)
 same => n,AGI(agi://127.0.0.1:{raw}/raw)
 same => n,Hangup()
"""


@dataclass
class Load:
    """What one run of calls cost."""

    calls: int
    failed: int
    cpu: dict[str, float]
    digit_to_invite: list[float] = field(default_factory=list)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Rig:
    folder: Path
    line: object
    sip_port: int
    agent_port: int
    pids: dict[str, int]
    runs: int = 0

    async def load(self, did: str, *, calls: int, rate: int, trace: bool) -> Load:
        """Place so many calls at a rate; failed ones are counted, not hidden."""
        self.runs += 1
        folder = self.folder / f"run-{self.runs}"
        folder.mkdir()
        (folder / "numbers.csv").write_text(
            "SEQUENTIAL\n" + "".join(f"1555{number:07d};\n" for number in range(1000))
        )
        body = sipp.INVITE.format(caller="[field0]", sdp=sipp.sdp(None))
        body += sipp.pause(DIGIT_AFTER_SECONDS)
        body += sipp.INFO.format(caller="[field0]", digit="1")
        body += sipp.pause(TALK_SECONDS) + sipp.BYE.format(caller="[field0]")
        caller = sipp.program(
            folder, "caller", body,
            [f"127.0.0.1:{self.sip_port}", "-s", did, "-m", str(calls), "-r", str(rate),
             "-inf", str(folder / "numbers.csv"), "-trace_stat", "-fd", "1"],
            trace=trace,
        )  # fmt: skip
        before = {name: cpu_seconds(pid) for name, pid in self.pids.items()}
        async with caller:
            await caller.finished(seconds_max=calls / rate + 60)
        cpu = {name: cpu_seconds(pid) - before[name] for name, pid in self.pids.items()}
        done, failed = _counts(caller.folder)
        load = Load(calls=done, failed=failed + (calls - done - failed), cpu=cpu)
        if trace:
            load.digit_to_invite = _latencies(caller.folder, self.folder)
        return load


def _counts(folder: Path) -> tuple[int, int]:
    """Read SIPp's own count of calls that went well and that failed."""
    lines = next(folder.glob("*_.csv")).read_text().strip().splitlines()
    head, last = lines[0].split(";"), lines[-1].split(";")
    values = dict(zip(head, last, strict=False))
    return int(values["SuccessfulCall(C)"]), int(values["FailedCall(C)"])


_STAMP = re.compile(r"^-+ (\d{4}-\d\d-\d\d)\s+(\d\d):(\d\d):(\d\d\.\d+)")


def _moments(file: Path, method: str) -> dict[str, list[float]]:
    """Find when messages of a kind with each number went by."""
    found: dict[str, list[float]] = {}
    for block in re.split(r"(?m)^(?=-{20,} )", file.read_text(errors="replace")):
        stamp = _STAMP.match(block)
        if not stamp:
            continue
        at = int(stamp[2]) * 3600 + int(stamp[3]) * 60 + float(stamp[4])
        if f"\n{method} sip" in block and (number := re.search(r"<sip:(1555\d{7})@", block)):
            found.setdefault(number[1], []).append(at)
    return found


def _latencies(caller: Path, rig: Path) -> list[float]:
    """From each digit to the next INVITE that reached the agent for the same caller."""
    digits = _moments(next(caller.glob("*_messages.log")), "INFO")
    invites = _moments(next((rig / "agents").glob("*/*_messages.log")), "INVITE")
    return [
        min(later)
        for number, pressed in digits.items()
        if (later := [at - pressed[0] for at in invites.get(number, []) if at >= pressed[0]])
    ]


@asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    """Start Asterisk, the product, the raw service and an agent for all."""
    with tempfile.TemporaryDirectory(prefix="talkmeter-bench-") as name:
        folder = Path(name)
        agent_port, raw_port = free_udp_port(), free_port()
        agent = f"sip:agent@127.0.0.1:{agent_port}"
        asterisk = PrivateAsterisk(
            folder, ensure(print), sip_port=free_udp_port(), rtp_ports="40000-49999",
            agi_host="127.0.0.1", agi_port=free_port(),
            prompts=short_prompts(folder, prompt_seconds=PROMPT_SECONDS),
            extra_dialplan=DIALPLAN.format(agent=agent, raw=raw_port),
        )  # fmt: skip
        await asterisk.start(print)
        raw = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.benchmarks.raw_agi", str(raw_port), agent
        )
        try:
            state = folder / "state"
            state.mkdir()
            async with (
                line_under_test(
                    state, asterisk, agent_port=agent_port, phones=1000, log_level="warning"
                ) as line,
                _agents(folder, agent_port),
            ):
                assert line.process
                yield Rig(
                    folder=folder,
                    line=line,
                    sip_port=asterisk.wanted.sip,
                    agent_port=agent_port,
                    pids={
                        "asterisk": asterisk.pid,
                        RAW: raw.pid,
                        PRODUCT: line.process.pid,
                    },
                )
        finally:
            raw.kill()
            await raw.wait()
            await asterisk.stop()


@asynccontextmanager
async def _agents(folder: Path, port: int) -> AsyncIterator[None]:
    body = sipp.ANSWER.format(
        invite=sipp.PLAIN_INVITE, ringing="", sdp=sipp.sdp(None)
    ) + sipp.AWAIT_BYE.format(milliseconds=60_000)
    async with sipp.program(
        folder / "agents", "agent", body, ["-m", "100000"], port=port, trace=True
    ):
        yield


async def figures() -> list[Figure]:
    async with rig() as built:
        loads: dict[str, list[Load]] = {PLAIN: [], RAW: [], PRODUCT: []}
        for turn in range(TURNS):
            for did, measured in loads.items():
                print(f"  turn {turn + 1}: {CALLS} calls to {did} at {RATE}/s", flush=True)
                measured.append(await built.load(did, calls=CALLS, rate=RATE, trace=True))
        clean = {did: await _clean_rate(built, did) for did in (PLAIN, PRODUCT)}
    return _figures(loads, clean)


async def _clean_rate(built: Rig, did: str) -> int:
    """Find the highest of a few rates at which no call fails."""
    best = RATE
    for rate in RATES:
        load = await built.load(did, calls=rate * STEP_SECONDS, rate=rate, trace=False)
        print(f"  {did} at {rate}/s: {load.calls} good, {load.failed} failed", flush=True)
        if load.failed:
            break
        best = rate
    return best


def _figures(loads: dict[str, list[Load]], clean: dict[str, int]) -> list[Figure]:
    def per_call(did: str, process: str) -> float:
        return statistics.median(
            load.cpu[process] / max(load.calls, 1) * 1000 for load in loads[did]
        )

    def middle(did: str) -> float:
        return statistics.median(
            [latency for load in loads[did] for latency in load.digit_to_invite] or [0]
        )

    service, raw = per_call(PRODUCT, PRODUCT), per_call(RAW, RAW)
    asterisk, plain = per_call(PRODUCT, "asterisk"), per_call(PLAIN, "asterisk")
    return [
        Figure("service CPU per billed call (ms)", service, "raw FastAGI", raw, 4.5, 2.5),
        Figure("Asterisk CPU per call (ms)", asterisk, "plain dialplan", plain, 1.5, 1.25),
        Figure(
            "clean calls/s", clean[PRODUCT], "plain dialplan", clean[PLAIN], 0.6, 0.85,
            more_is_better=True,
        ),
        Figure(
            "digit to INVITE p50 (ms)", middle(PRODUCT) * 1000, "plain dialplan",
            middle(PLAIN) * 1000, 5, 1, difference=True,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    print(json.dumps([figure.document() for figure in asyncio.run(figures())], indent=1))
