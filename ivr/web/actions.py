"""Actions of the audit log whose words depend on what was asked for.

They are kept in English, and said in the reader's language where they are shown.
"""

from __future__ import annotations

from typing import Final

from ivr.web.language import mark

PLAN_ACTIONS: Final = {
    "subscribe": mark("plan: subscribe"),
    "change": mark("plan: change"),
    "end": mark("plan: end"),
    "end_now": mark("plan: end now"),
}
PAYOUT_ACTIONS: Final = {
    "approve": mark("approve payout"),
    "reject": mark("reject payout"),
    "pay": mark("pay payout"),
}
WEBHOOK_ACTIONS: Final = {
    "enable": mark("enable webhook"),
    "disable": mark("disable webhook"),
    "rotate": mark("rotate webhook"),
    "delete": mark("delete webhook"),
}
LISTEN_ACTIONS: Final = {
    "message": mark("listen to message"),
    "talk": mark("listen to talk"),
}
# Written by `ivr.bulk`, which knows no pages.
IMPORT_ACTIONS: Final = (
    mark("import accounts"),
    mark("import topups"),
    mark("import catalog"),
)
