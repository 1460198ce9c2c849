"""What a flow works with: one bundle, built once in `ivr.app`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from billing.charging import Charging
from billing.clock import Clock
from ivr.calls.callbacks import Callbacks
from ivr.calls.closing import Closing
from ivr.calls.consultations import Consultations
from ivr.calls.mailbox import Mailbox
from ivr.calls.registry import Registry
from ivr.calls.states import EndReason
from ivr.calls.store import CallStore
from ivr.calls.tally import Tally
from ivr.directory.model import Directory


class People(Protocol):
    """What a phone line asks about callers and agents (`ivr.directory.people`)."""

    async def check_pin(self, account: str | None, pin: str, caller: str) -> bool:
        """Tell whether the PIN opens the account; None is an account that does not exist."""
        ...

    async def register_phone(self, account: str, number: str) -> bool:
        """Make a phone known as an account's; False where it is somebody else's."""
        ...

    async def redeem(self, account: str, code: str) -> None:
        """Turn a voucher into money of an account; raises a BillingError otherwise."""
        ...

    async def set_agent(self, client: str, agent: str, state: str) -> None:
        """Let an agent take calls, pause or log out."""
        ...

    async def priority(self, account: str) -> int:
        """Tell an account's place in queues, by its plan."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The collaborators of every flow, and the numbers that bound it.

    `people` checks PINs in a thread; an unknown account and a locked one take the same time as a
    wrong PIN. Without a `mailbox` nothing is recorded.
    """

    directory: Callable[[], Directory]
    people: People
    callbacks: Callbacks
    consultations: Consultations
    mailbox: Mailbox | None
    # Whether a client has a sound of its own: client, language, name.
    has_sound: Callable[[str, str, str], bool]
    charging: Charging
    closing: Closing
    registry: Registry
    store: CallStore
    tally: Tally
    clock: Clock
    new_id: Callable[[], str]
    boot: Callable[[], str]
    slice_seconds: int
    ring_seconds: int
    account_calls_max: int = 3
    has_queues: bool = False
    # Where phones may be dialled (ISO 3166); none where no carrier takes such calls.
    countries: frozenset[str] = frozenset()


class CallEnds(Exception):
    """A step of the flow decided that the call is over."""

    def __init__(self, reason: EndReason) -> None:
        self.reason = reason
        super().__init__(reason)
