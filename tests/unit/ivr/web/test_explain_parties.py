"""Beside a booked share stands the percentage that was agreed, whatever else was."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from billing.domain.splits import Share
from billing.storage.ledger import shares_json
from ivr.web.explain import parties
from ivr.web.queries.calls import Party


def test_a_commission_is_no_percentage_of_the_cost() -> None:
    agreed = (
        Share(kind="provider", account="provider", basis_points=3_000, fixed_fee=50_000),
        Share(kind="client", account="acme", basis_points=7_000),
        Share(kind="referrer", account="partner-a", basis_points=1_000, of="provider"),
    )
    booked = tuple(Party(kind=share.kind, account=share.account, amount=1) for share in agreed)
    detail: Any = SimpleNamespace(shares=shares_json(agreed), parties=booked)

    lines = parties(detail)

    assert [line.basis_points for line in lines] == [3_000, 7_000, None]
