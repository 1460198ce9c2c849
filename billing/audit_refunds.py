"""Proof that nobody gave back more than it got, and no caller got back more than it paid."""

from __future__ import annotations

from typing import Final

QUERIES: Final = {
    "no refund exceeds what its session cost": (
        "SELECT s.id, s.account_id, sum(e.amount) FROM sessions s "
        "JOIN transfers t ON t.reference = s.id "
        "AND t.kind IN ('settle', 'rerate', 'refund', 'goodwill') "
        "JOIN entries e ON e.transfer_id = t.id AND e.account_id = s.account_id "
        "WHERE EXISTS (SELECT 1 FROM transfers r WHERE r.reference = s.id "
        "AND r.kind IN ('refund', 'goodwill')) "
        "GROUP BY s.id, s.account_id HAVING sum(e.amount) > 0"
    ),
    "no party gave back more of a session than it got": (
        "SELECT s.id, e.account_id, sum(e.amount) FROM sessions s "
        "JOIN transfers t ON t.reference = s.id AND t.kind IN ('settle', 'rerate', 'refund') "
        "JOIN entries e ON e.transfer_id = t.id AND e.account_id <> s.account_id "
        "WHERE EXISTS (SELECT 1 FROM transfers r WHERE r.reference = s.id "
        "AND r.kind = 'refund') "
        "GROUP BY s.id, e.account_id HAVING sum(e.amount) < 0"
    ),
}
