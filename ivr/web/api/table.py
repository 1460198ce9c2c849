"""All operations of the API: each noun brings its own `OPERATIONS`, beside its handlers.

Parts of paths are in `places`; what a noun reads and writes is in a file of models of its own.
"""

from __future__ import annotations

from typing import Final

from ivr.web.api import (
    account_care,
    account_terms,
    accounts,
    audit,
    business,
    calls,
    cards,
    clients,
    desk,
    exports,
    imports,
    invoices,
    keys,
    line_edits,
    lines,
    live,
    logins,
    me,
    operations,
    own_account,
    parties,
    payout_files,
    payouts,
    plan_prices,
    plans,
    prices,
    prompts,
    refunds,
    reports,
    tariff_quotes,
    usage,
    voucher_lists,
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
    *account_terms.OPERATIONS,
    *own_account.OPERATIONS,
    *cards.OPERATIONS,
    *usage.OPERATIONS,
    *reports.OPERATIONS,
    *lines.OPERATIONS,
    *line_edits.OPERATIONS,
    *prices.OPERATIONS,
    *tariff_quotes.OPERATIONS,
    *plan_prices.OPERATIONS,
    *clients.OPERATIONS,
    *keys.OPERATIONS,
    *imports.OPERATIONS,
    *exports.OPERATIONS,
    *logins.OPERATIONS,
    *audit.OPERATIONS,
    *business.OPERATIONS,
    *invoices.OPERATIONS,
    *refunds.OPERATIONS,
    *payouts.OPERATIONS,
    *payout_files.OPERATIONS,
    *parties.OPERATIONS,
    *prompts.OPERATIONS,
    *desk.OPERATIONS,
    *webhooks.OPERATIONS,
    *vouchers.OPERATIONS,
    *voucher_lists.OPERATIONS,
    *me.OPERATIONS,
    # Whoever ends a plan cannot use it afterwards.
    *plans.OPERATIONS,
)
