"""The tour of `talkmeter demo`: one call through everything, each step as the caller hears it.

account number and PIN -> balance -> topic -> too little: a voucher -> price, accepted -> queue
-> talk -> "it gets dearer" -> the longest talk is over -> cost and balance -> goodbye
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from billing.money import format_amount, parse_amount

if TYPE_CHECKING:
    from ivr.app import Service
    from ivr.calls.call import CallSnapshot
    from ivr.calls.history import CallRecord
    from ivr.sandbox.caller import Seen

DID: Final = "18005550300"
ACCOUNT: Final = "tourist"
ACCOUNT_NUMBER: Final = "100900"
PIN: Final = "4713"
FROM: Final = "15557770001"
BALANCE: Final = "0.20"
VOUCHER: Final = "10.00"
PRESSES: Final = {
    "account": "keys in the account number",
    "pin": "keys in the PIN",
    "topic": "presses 1",
    "voucher": f"keys in a voucher of {VOUCHER}",
    "price": "presses 1 to accept",
}


class Teller:
    """Prints what is heard, pressed and charged, step by step."""

    def __init__(self) -> None:
        self._asked = ""
        self._second = -1

    def heard(self, how: str, prompts: Sequence[str]) -> None:
        """Print a sentence; the first words say how it is said."""
        from ivr.sandbox.heard import spoken

        self._say(f"  {how:<13} {spoken(prompts)}")

    def seen(self, call: Seen) -> None:
        """Print what the caller presses, and the talk with its cost."""
        if call.asking != self._asked:
            self._asked = call.asking
            if call.asking in PRESSES:
                self._say(f"  {'->':<13} {PRESSES[call.asking]}")
        second = int(call.talk_seconds)
        if call.state == "talking" and second != self._second:
            self._second = second
            cost = format_amount(int(str(call.cost)))
            self._say(f"  talks         {second} s  {cost} {call.currency}")

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


async def tour(service: Service, teller: Teller) -> CallRecord | None:
    """Place the call; None where the catalog of this installation has no such line."""
    from ivr.cli.call import settled
    from ivr.sandbox.caller import Plan, SimulatedCaller

    if service.books.directory.current().did(DID) is None:
        return None
    voucher = await _prepare(service)

    async def look() -> list[CallSnapshot]:
        return service.lines.registry.snapshot()

    print("a tour in one call, as the caller hears it:", file=sys.stderr)
    caller = SimulatedCaller(
        server=("127.0.0.1", service.settings.sip_port), look=look, on_change=teller.seen
    )
    call_id = await caller.place(
        Plan(
            did=DID,
            number=FROM,
            account_number=ACCOUNT_NUMBER,
            pin=PIN,
            press="1",
            voucher=voucher,
            accept="1",
            talk_seconds=60,
        )
    )
    return await settled(service.settings.url, call_id) if call_id else None


async def _prepare(service: Service) -> str:
    """Leave the caller with too little, and print a voucher for it."""
    from billing.clock import SystemClock
    from billing.ids import new_id
    from billing.vouchers import Vouchers
    from ivr.app import voucher_key

    clock = SystemClock()
    wallet = service.books.wallet
    if spare := (await wallet.account(ACCOUNT)).spendable - parse_amount(BALANCE):
        await wallet.adjust(ACCOUNT, -spare, key=new_id(clock), actor="demo", memo="a new tour")
    vouchers = Vouchers(
        engine=service.books.engine, clock=clock, secret=voucher_key(service.settings)
    )
    batch = await vouchers.generate(
        amount=parse_amount(VOUCHER), currency="USD", count=1, actor="demo", note="tour"
    )
    return batch.codes[0]
