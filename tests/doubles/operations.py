"""What the web acts on, on paper: live calls that are extended and heard, queues, a machine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from billing.errors import InvalidInput
from ivr.calls.call import CallSnapshot, Extension
from ivr.machine import AsteriskFacts, MachineFacts
from ivr.telephony import QueueNow, SwitchUnavailable


class CallsOnPaper(Protocol):
    """Live calls as a list that tests write."""

    calls: list[CallSnapshot]


@dataclass
class ControlOnPaper:
    """Extends what is live on paper: each minute for 50 cents."""

    live: CallsOnPaper
    extended: list[tuple[str, int, str]] = field(default_factory=list)

    async def extend(
        self, call_id: str, *, minutes: int, key: str, actor: str, reason: str
    ) -> Extension | None:
        for number, call in enumerate(self.live.calls):
            if call.id == call_id:
                if call.ends_after_seconds is None:
                    raise InvalidInput(reason="nothing limits this call")
                self.extended.append((call_id, minutes, reason))
                target = call.ends_after_seconds + 60 * minutes
                self.live.calls[number] = replace(
                    call, ends_after_seconds=target,
                    extended_minutes=call.extended_minutes + minutes,
                )  # fmt: skip
                return Extension(
                    call_id=call_id, minutes=minutes, target_seconds=target,
                    amount=500_000 * minutes, currency=call.currency,
                )  # fmt: skip
        return None


class MachineOnPaper:
    """A machine that is well, as long as nobody says otherwise."""

    def __init__(self) -> None:
        self.facts = MachineFacts(
            node="node-1", version="1.0",
            asterisk=AsteriskFacts(
                linked=True, boot="2026-11-20T09:00:00", version="22.10.1", channels=4,
                heard_seconds=0.3, drift_seconds=0.01,
            ),
            live_calls=2, accepting=True, ledger_waiting=0, ledger_batches=10,
            ledger_operations=25, ledger_last_size=2, ledger_last_seconds=0.004,
            journal_waiting=0, journal_seconds=0, late_slices=0, directory_seconds=0.5,
            jobs=(("meter", True), ("ami", True)), disk_percent=40, disk_free_bytes=10**10,
            alarms_looked_us=None,
        )  # fmt: skip
        self.on: dict[tuple[str, str], int] = {}

    def alarms_on(self) -> dict[tuple[str, str], int]:
        return self.on

    async def look(self) -> MachineFacts:
        return self.facts


class QueuesOnPaper:
    """Queues as tests write them; `down` is a switch that does not answer."""

    def __init__(self) -> None:
        self.now: dict[str, QueueNow] = {}
        self.down = False

    async def read(self, now: float) -> dict[str, QueueNow]:
        if self.down:
            raise SwitchUnavailable("no link")
        return self.now


@dataclass
class ListeningOnPaper:
    """Everybody has one phone of its own."""

    live: CallsOnPaper
    heard: list[tuple[str, str, str]] = field(default_factory=list)

    def phones(self, login: str, client: str) -> dict[str, str]:
        return {"own": f"sip:{login}@127.0.0.1:5090"}

    async def listen(self, call_id: str, *, login: str, phone: str, reason: str) -> str | None:
        for call in self.live.calls:
            if call.id == call_id:
                if not call.listen_told:
                    raise InvalidInput(reason="the caller was not told that anybody may listen")
                if phone != "own":
                    raise InvalidInput(reason="choose one of the phones that may ring")
                self.heard.append((call_id, login, reason))
                return call_id
        return None
