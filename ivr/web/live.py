"""What the web must know of live calls; the registry of calls implements it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from billing.money import Micros


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
