"""All operations of the API: each noun brings its own `OPERATIONS`, beside its handlers.

Parts of paths are in `places`; what a noun reads and writes is in a file of models of its own.
"""

from __future__ import annotations

from typing import Final

from ivr.web.api import (
    account_care,
    accounts,
    business,
    calls,
    desk,
    invoices,
    keys,
    lines,
    live,
    me,
    operations,
    payouts,
    plans,
    prices,
    prompts,
    refunds,
    reports,
    usage,
    vouchers,
    webhooks,
)
from ivr.web.api.gate import Operation

OPERATIONS: Final[tuple[Operation, ...]] = (
    *live.OPERATIONS,
    *calls.OPERATIONS,
    *operations.OPERATIONS,
    *accounts.OPERATIONS,
    *account_care.OPERATIONS,
    *usage.OPERATIONS,
    *reports.OPERATIONS,
    *lines.OPERATIONS,
    *prices.OPERATIONS,
    *keys.OPERATIONS,
    *business.OPERATIONS,
    *invoices.OPERATIONS,
    *refunds.OPERATIONS,
    *payouts.OPERATIONS,
    *prompts.OPERATIONS,
    *desk.OPERATIONS,
    *webhooks.OPERATIONS,
    *vouchers.OPERATIONS,
    *me.OPERATIONS,
    # Whoever ends a plan cannot use it afterwards.
    *plans.OPERATIONS,
)
