"""Proof that the daily sums of the reports equal the sessions and entries they stand for."""

from __future__ import annotations

from typing import Final

from billing.domain.payouts import PARTIES
from billing.domain.sums import AGENT_SHARES

_SOLD: Final = (
    "s.ended_us - s.ended_us % 86400000000 AS day_us, s.client, s.service, "
    "coalesce(s.detail, '') AS detail, s.tariff_version_id, s.currency"
)

# What is on one side only, from either side; a check that finds nothing has proved its name.
QUERIES: Final = {
    "daily sums of revenue equal their sessions": (
        "SELECT day_us, client, service, detail, sum(sessions), sum(gross) FROM ("  # noqa: S608
        "SELECT day_us, client, service, detail, tariff_version_id, currency, sessions, talk_us, "
        "billed_seconds, gross FROM revenue_days UNION ALL "
        f"SELECT {_SOLD}, -count(*), -sum(s.talk_us), -sum(s.billed_seconds), -sum(s.cost) "
        "FROM sessions s WHERE s.state = 'settled' GROUP BY 1, 2, 3, 4, 5, 6) d "
        "GROUP BY day_us, client, service, detail, tariff_version_id, currency "
        "HAVING sum(sessions) <> 0 OR sum(talk_us) <> 0 OR sum(billed_seconds) <> 0 "
        "OR sum(gross) <> 0"
    ),
    "daily sums of shares equal their entries": (
        "SELECT day_us, client, service, detail, kind, account, sum(amount) FROM ("  # noqa: S608
        "SELECT day_us, client, service, detail, tariff_version_id, currency, kind, account, "
        "amount FROM share_days UNION ALL "
        f"SELECT {_SOLD}, a.kind, a.code, -sum(e.amount) FROM sessions s "
        "JOIN transfers t ON t.reference = s.id AND t.kind = 'settle' "
        "JOIN entries e ON e.transfer_id = t.id AND e.amount > 0 "
        "JOIN accounts a ON a.id = e.account_id WHERE s.state = 'settled' "
        "GROUP BY 1, 2, 3, 4, 5, 6, 7, 8) d GROUP BY day_us, client, service, detail, "
        "tariff_version_id, currency, kind, account HAVING sum(amount) <> 0"
    ),
    "daily sums by agent equal their sessions": (
        "SELECT day_us, client, agent, service, detail, sum(sessions), sum(gross) FROM ("
        "SELECT day_us, client, agent, service, detail, currency, sessions, talk_us, "
        "billed_seconds, gross FROM agent_days UNION ALL "
        "SELECT s.ended_us - s.ended_us % 86400000000, s.client, coalesce(s.agent, ''), "
        "s.service, coalesce(s.detail, ''), s.currency, -count(*), -sum(s.talk_us), "
        "-sum(s.billed_seconds), -sum(s.cost) FROM sessions s WHERE s.state = 'settled' "
        "GROUP BY 1, 2, 3, 4, 5, 6) d GROUP BY day_us, client, agent, service, detail, currency "
        "HAVING sum(sessions) <> 0 OR sum(talk_us) <> 0 OR sum(billed_seconds) <> 0 "
        "OR sum(gross) <> 0"
    ),
    "daily sums of parties equal their entries": (
        "SELECT account_id, day_us, kind, sum(movements), sum(amount) FROM ("  # noqa: S608
        "SELECT account_id, day_us, kind, movements, amount FROM party_days UNION ALL "
        "SELECT e.account_id, t.at_us - t.at_us % 86400000000, t.kind, -count(*), -sum(e.amount) "
        "FROM accounts a JOIN entries e ON e.account_id = a.id "
        "JOIN transfers t ON t.id = e.transfer_id "
        f"WHERE a.kind IN ({', '.join(map(repr, PARTIES))}) GROUP BY 1, 2, 3) d "
        "GROUP BY account_id, day_us, kind HAVING sum(movements) <> 0 OR sum(amount) <> 0"
    ),
    "daily sums of shares by agent equal their entries": (
        "SELECT day_us, client, agent, service, detail, currency, kind, sum(amount) FROM ("  # noqa: S608
        "SELECT s.ended_us - s.ended_us % 86400000000 AS day_us, s.client, "
        "coalesce(s.agent, '') AS agent, s.service, coalesce(s.detail, '') AS detail, s.currency, "
        "a.kind, sum(e.amount) AS amount FROM sessions s "
        "JOIN transfers t ON t.reference = s.id AND t.kind = 'settle' "
        "JOIN entries e ON e.transfer_id = t.id AND e.amount > 0 "
        "JOIN accounts a ON a.id = e.account_id WHERE s.state = 'settled' "
        f"AND a.kind IN ({', '.join(map(repr, AGENT_SHARES))}) GROUP BY 1, 2, 3, 4, 5, 6, 7"
        + "".join(
            " UNION ALL SELECT day_us, client, agent, service, detail, currency, "  # noqa: S608
            f"'{kind}', -to_{kind} FROM agent_days"
            for kind in AGENT_SHARES
        )
        + ") d GROUP BY day_us, client, agent, service, detail, currency, kind "
        "HAVING sum(amount) <> 0"
    ),
}
