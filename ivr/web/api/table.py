"""All operations of the API: each noun brings its own `OPERATIONS`, beside its handlers.

Parts of paths are in `places`; what a noun reads and writes is in a file of models of its own.
"""

from __future__ import annotations

from typing import Final

from ivr.web.api import (
    account_care,
    accounts,
    calls,
    keys,
    lines,
    live,
    operations,
    prices,
    reports,
    usage,
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
)
