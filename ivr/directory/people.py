"""What a phone line asks about people: callers prove who they are, agents come and go."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import Clock
from billing.errors import InvalidInput
from billing.vouchers import Vouchers
from ivr.directory.agents import set_agent
from ivr.directory.callers import queue_priority, set_phones_and_pin
from ivr.directory.gate import PinGate
from ivr.directory.model import Directory


class People:
    """Accounts and agents, as the flows of a call see them."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        *,
        directory: Callable[[], Directory],
        pin_key: bytes,
        voucher_key: bytes,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._pin_key = pin_key
        self._vouchers = Vouchers(engine=engine, clock=clock, secret=voucher_key)
        self._gate = PinGate(
            engine, clock, key=pin_key, hash_of=lambda account: directory().pin_hash(account)
        )

    async def check_pin(self, account: str | None, pin: str, caller: str) -> bool:
        """Tell whether the PIN opens the account; None is an account that does not exist."""
        return await self._gate.check(account, pin, caller=caller)

    async def register_phone(self, account: str, number: str) -> bool:
        """Make a phone known as an account's; False where it is somebody else's."""
        try:
            await set_phones_and_pin(
                self._engine, account, numbers=[number], pin=None, key=self._pin_key
            )
        except InvalidInput:
            return False
        return True

    async def redeem(self, account: str, code: str) -> None:
        """Turn a voucher into money of an account.

        Raises:
            BillingError: it cannot be used, or too many wrong ones were tried.

        """
        await self._gate.redeem(
            account, lambda: self._vouchers.redeem(account, code, actor="phone")
        )

    async def set_agent(self, client: str, agent: str, state: str) -> None:
        """Let an agent take calls, pause or log out."""
        await set_agent(self._engine, client, agent, state, clock=self._clock)

    async def priority(self, account: str) -> int:
        """Tell an account's place in queues, by its plan."""
        return await queue_priority(self._engine, account)
