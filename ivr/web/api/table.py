"""All operations of the API."""

from __future__ import annotations

from typing import Final

from ivr.web.api import accounts, calls, models, reports
from ivr.web.api.gate import Operation
from ivr.web.scope import CALLERS, CLIENTS, EVERYBODY, OPERATORS

CALL: Final = "{call_id:[0-9a-f-]{36}}"
ACCOUNT: Final = "{account:[a-z0-9][a-z0-9_.-]*}"

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path="/calls",
        name="listCalls",
        summary="List calls, newest first",
        roles=EVERYBODY,
        handler=calls.list_calls,
        query=models.CallsQuery,
        answer=models.Calls,
    ),
    Operation(
        method="GET",
        path=f"/calls/{CALL}",
        name="showCall",
        summary="Show one call with every line of its cost and its split",
        roles=EVERYBODY,
        handler=calls.show_call,
        answer=models.CallDetail,
        problems=("not_found",),
    ),
    Operation(
        method="POST",
        path=f"/calls/{CALL}/refunds",
        name="refund",
        summary="Give money back for a call, once per key: by all parties, or by goodwill",
        roles=OPERATORS,
        handler=calls.refund,
        body=models.NewRefund,
        answer=models.Refund,
        statuses=(201, 200),
        needs_key=True,
        problems=("missing_key", "unknown_session", "nothing_to_refund", "idempotency_conflict"),
    ),
    Operation(
        method="GET",
        path="/live",
        name="listLiveCalls",
        summary="List the calls of this moment",
        roles=EVERYBODY,
        handler=calls.list_live,
        answer=models.LiveCalls,
    ),
    Operation(
        method="POST",
        path=f"/live/{CALL}/hangup",
        name="hangUp",
        summary="End a live call",
        roles=OPERATORS,
        handler=calls.hang_up,
        answer=models.HangUpAsked,
        statuses=(202,),
        problems=("not_found", "switch_unavailable"),
    ),
    Operation(
        method="GET",
        path="/accounts",
        name="listAccounts",
        summary="List callers' accounts by code",
        roles=OPERATORS,
        handler=accounts.list_accounts,
        query=models.AccountsQuery,
        answer=models.Accounts,
    ),
    Operation(
        method="POST",
        path="/accounts",
        name="addAccount",
        summary="Open an account",
        roles=OPERATORS,
        handler=accounts.add_account,
        body=models.NewAccount,
        answer=models.Account,
        statuses=(201,),
        problems=("account_exists",),
    ),
    Operation(
        method="GET",
        path=f"/accounts/{ACCOUNT}",
        name="showAccount",
        summary="Show one account",
        roles=OPERATORS | CALLERS,
        handler=accounts.show_account,
        answer=models.Account,
        problems=("not_found",),
    ),
    Operation(
        method="POST",
        path=f"/accounts/{ACCOUNT}/topups",
        name="topUp",
        summary="Add money to an account, once per key",
        roles=OPERATORS,
        handler=accounts.top_up,
        body=models.TopUp,
        answer=models.ToppedUp,
        statuses=(201, 200),
        needs_key=True,
        problems=("missing_key", "unknown_account", "idempotency_conflict"),
    ),
    Operation(
        method="GET",
        path=f"/accounts/{ACCOUNT}/statement",
        name="showStatement",
        summary="List the movements of an account, newest first",
        roles=OPERATORS | CALLERS,
        handler=accounts.statement,
        query=models.PageQuery,
        answer=models.Statement,
        problems=("not_found",),
    ),
    Operation(
        method="GET",
        path="/reports/split",
        name="reportSplit",
        summary="Report revenue per DID and topic, and how it was split",
        roles=OPERATORS | CLIENTS,
        handler=reports.split,
        query=models.SplitQuery,
        answer=models.SplitReport,
    ),
)
