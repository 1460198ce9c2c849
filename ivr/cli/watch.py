"""A call on the terminal, as it happens: each step on its line, seconds and cost ticking."""

from __future__ import annotations

import sys

from billing.money import format_amount
from ivr.calls.history import CallRecord
from ivr.sandbox.caller import Seen

STEPS = {
    "ringing": "ringing",
    "authenticated": "authenticated",
    "choosing": "listening to the topics",
    "quoted": "hears the price",
    "waiting": "waiting for an agent (free of charge)",
    "talking": "talking",
    "ended": "ended",
}


class Watch:
    """Prints the steps of one call to stderr, so that stdout stays for the answer."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._state = ""
        self._second = -1
        self._tty = sys.stderr.isatty()

    def show(self, call: Seen) -> None:
        """Print what changed."""
        if self._quiet:
            return
        if call.state != self._state:
            if self._state == "talking" and self._tty:
                print(file=sys.stderr)
            self._state = call.state
            fact = {"authenticated": call.account, "quoted": call.topic}.get(call.state, "")
            print(
                f"  {STEPS.get(call.state, call.state)}{': ' + fact if fact else ''}",
                file=sys.stderr,
                flush=True,
            )
        if call.state == "talking" and int(call.talk_seconds) != self._second:
            self._second = int(call.talk_seconds)
            cost = call.cost if isinstance(call.cost, str) else format_amount(int(str(call.cost)))
            print(
                f"\r  {self._second:>4} s  {cost:>12} {call.currency}",
                end="" if self._tty else "\n",
                file=sys.stderr,
                flush=True,
            )


def print_record(record: CallRecord) -> None:
    """Print a settled call for people."""
    currency = record.currency or ""
    talk_seconds = record.talk_us / 1_000_000
    print(f"call      {record.call_id}")
    print(f"ended     {record.end_reason}")
    print(f"talk      {talk_seconds:.3f} s, billed {record.billed_seconds} s")
    print(f"cost      {format_amount(record.cost)} {currency}")
    if record.balance_before is not None and record.balance_after is not None:
        before, after = format_amount(record.balance_before), format_amount(record.balance_after)
        print(f"balance   {before} -> {after} {currency}")
    for part in record.split:
        print(f"share     {part.party:<10} {format_amount(part.amount):>12} {currency}")
