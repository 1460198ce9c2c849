"""Money, time and usage: a library that has never heard of a call.

It meters *sessions* with an opaque reference, against accounts in a double-entry ledger. Amounts
are integers of micro-units everywhere; see `billing.money`.
"""

from __future__ import annotations
