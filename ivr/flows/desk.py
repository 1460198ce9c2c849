"""What a flow works with: one bundle, built once in `ivr.app`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from billing.charging import Charging
from billing.clock import Clock
from ivr.calls.closing import Closing
from ivr.calls.registry import Registry
from ivr.calls.states import EndReason
from ivr.calls.store import CallStore
from ivr.directory.model import Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The collaborators of every flow, and the numbers that bound it.

    `check_pin` takes account, PIN and caller id, and compares with the stored hash in a thread; an
    unknown account and a locked one take the same time as a wrong PIN. `register_phone` makes a
    phone known as an account's; False where it is somebody else's. `redeem` turns a voucher into
    money of an account, or raises a BillingError.
    """

    directory: Callable[[], Directory]
    check_pin: Callable[[str | None, str, str], Awaitable[bool]]
    register_phone: Callable[[str, str], Awaitable[bool]]
    redeem: Callable[[str, str], Awaitable[object]]
    charging: Charging
    closing: Closing
    registry: Registry
    store: CallStore
    clock: Clock
    new_id: Callable[[], str]
    boot: Callable[[], str]
    slice_seconds: int
    ring_seconds: int
    account_calls_max: int = 3
    has_queues: bool = False


class CallEnds(Exception):
    """A step of the flow decided that the call is over."""

    def __init__(self, reason: EndReason) -> None:
        self.reason = reason
        super().__init__(reason)
