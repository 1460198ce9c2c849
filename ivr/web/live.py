"""What the web must know of live calls; the registry of calls implements it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from billing.money import Micros
from ivr.machine import MachineFacts
from ivr.telephony import QueueNow


class LiveCall(Protocol):
    """One call at this moment. `cost` is that of the talk so far."""

    @property
    def id(self) -> str:
        """The id, also of the call's record later on."""
        ...

    @property
    def did(self) -> str:
        """What was dialled."""
        ...

    @property
    def client(self) -> str:
        """Code of the client whose DID it is; empty before it is known."""
        ...

    @property
    def topic(self) -> str:
        """The chosen topic; empty before."""
        ...

    @property
    def account(self) -> str:
        """Code of the caller's account; empty before it is known."""
        ...

    @property
    def caller(self) -> str:
        """The number of the caller, as claimed."""
        ...

    @property
    def state(self) -> str:
        """Where the call stands."""
        ...

    @property
    def asking(self) -> str:
        """What the caller is being asked for, if anything."""
        ...

    @property
    def started_us(self) -> int:
        """When it came in."""
        ...

    @property
    def talk_seconds(self) -> float:
        """How long they have talked."""
        ...

    @property
    def cost(self) -> Micros:
        """What the talk costs so far."""
        ...

    @property
    def currency(self) -> str:
        """Of the cost; empty before the price is known."""
        ...

    @property
    def granted_seconds(self) -> int:
        """Talk that money is held for."""
        ...

    @property
    def uniqueid(self) -> str:
        """The switch's own name of the call."""
        ...

    @property
    def destination(self) -> str:
        """Who is rung, or the queue it waits in."""
        ...

    @property
    def waited_seconds(self) -> float:
        """How long it waited for an agent."""
        ...

    @property
    def held(self) -> Micros:
        """Money held for its talk."""
        ...

    @property
    def ends_after_seconds(self) -> int | None:
        """How much talk there can be, as it looks now; None: as much as they like."""
        ...

    @property
    def ends_by(self) -> str:
        """What ends it then: `money` or `line`."""
        ...

    @property
    def next_tier_seconds(self) -> int | None:
        """From which second of talk on it costs another price."""
        ...

    @property
    def next_price(self) -> Micros:
        """That price."""
        ...

    @property
    def next_per_seconds(self) -> int:
        """What it is the price of."""
        ...

    @property
    def covered_seconds(self) -> int:
        """Talk that a plan pays for."""
        ...

    @property
    def extended_minutes(self) -> int:
        """What operators added."""
        ...

    @property
    def premium(self) -> bool:
        """The carrier pays for it."""
        ...

    @property
    def listen_told(self) -> bool:
        """The caller was told that somebody may listen."""
        ...


class LiveCalls(Protocol):
    """All live calls of this process."""

    def snapshot(self) -> Sequence[LiveCall]:
        """Freeze them, oldest first."""
        ...

    async def hang_up(self, call_id: str) -> bool:
        """End one; False when it is not live here.

        Raises:
            SwitchUnavailable: the switch did not answer.

        """
        ...


class Extended(Protocol):
    """More talk that was given to a call."""

    @property
    def minutes(self) -> int:
        """How much."""
        ...

    @property
    def target_seconds(self) -> int:
        """After how much talk it ends now."""
        ...

    @property
    def amount(self) -> Micros:
        """What the provider paid for that; zero where the line alone limited it."""
        ...

    @property
    def currency(self) -> str:
        """Of the amount."""
        ...

    @property
    def done(self) -> bool:
        """The same wish had been fulfilled before."""
        ...


class LiveControl(Protocol):
    """What people may do to live calls of this process."""

    async def extend(
        self, call_id: str, *, minutes: int, key: str, actor: str, reason: str
    ) -> Extended | None:
        """Let one go on for so many minutes more, once per key; None when it is not live here.

        Raises:
            BillingError: it cannot be extended, or the ledger does not answer.

        """
        ...


class MachineView(Protocol):
    """How this process and its machine are."""

    def alarms_on(self) -> Mapping[tuple[str, str], int]:
        """Count alarms that are on by kind and severity."""
        ...

    async def look(self) -> MachineFacts:
        """Read everything that is known without the database."""
        ...


class Queues(Protocol):
    """What the queues are doing."""

    async def read(self, now: float) -> Mapping[str, QueueNow]:
        """Read all queues by name; `now` is in seconds since 1970.

        Raises:
            SwitchUnavailable: nobody answered.

        """
        ...


class Listening(Protocol):
    """Listening to talks of this process."""

    def phones(self, login: str, client: str) -> Mapping[str, str]:
        """Name the phones that may ring for a login, and what each dials."""
        ...

    async def listen(self, call_id: str, *, login: str, phone: str, reason: str) -> str | None:
        """Let one of these phones ring and hear a talk; None when the call is not live here.

        Raises:
            BillingError: it may not be heard, or not by this phone.
            SwitchUnavailable: the switch did not answer.

        """
        ...
