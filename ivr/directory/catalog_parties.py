"""Agreements of the catalog on top of a split: a fixed fee per call, and referrers for a time.

    fixed_fee: "0.05"
    referrers:
      partner-a: {commission: 10%, of: provider, from: 2026-01-01, until: 2027-01-01,
                  bonus: "2500.00"}

`from` is the client's start unless given, `until` 12 months later. A bonus is posted once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from billing.clock import microseconds_of, moment_of
from billing.domain.agreements import Referrer
from billing.domain.notation import format_percent, parse_percent
from billing.domain.splits import PROVIDER, Share, check_shares
from billing.errors import InvalidShares
from billing.money import Micros, format_amount
from ivr.directory.catalog_words import named, not_negative, one_of
from ivr.directory.model import Client
from ivr.directory.yaml_reader import Node

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2999


def with_fixed_fee(shares: tuple[Share, ...], fee: Micros) -> tuple[Share, ...]:
    """Let the provider have a fee of each call before anything is split."""
    if not fee:
        return shares
    if all(share.kind != PROVIDER for share in shares):
        shares = (Share(kind=PROVIDER, account="provider", basis_points=0), *shares)
    return tuple(
        replace(share, fixed_fee=fee) if share.kind == PROVIDER else share for share in shares
    )


def read_referrers(node: Node, shares: Sequence[Share]) -> tuple[Referrer, ...]:
    """Read the partners who brought a client; together with its shares they must be a whole."""
    before = len(node.notes.mistakes)
    found = tuple(_referrer(account, child) for account, child in node.items())
    if found and len(node.notes.mistakes) == before:
        try:
            check_shares((*shares, *(each.share for each in found)))
        except InvalidShares as error:
            node.wrong(str(error.facts["reason"]))
    return found


def _referrer(account: str, node: Node) -> Referrer:
    named(account, node)
    fields = node.map(frozenset({"commission", "of", "from", "until", "bonus"}))
    found = Referrer(
        account=account,
        basis_points=fields["commission"].need().read(parse_percent, 0),
        of=fields["of"].read(one_of(PROVIDER), PROVIDER),
        from_us=fields["from"].read(_moment, None),
        until_us=fields["until"].read(_moment, None),
        bonus=fields["bonus"].read(not_negative, 0),
    )
    if found.from_us is not None:
        try:
            found.starting(found.from_us)
        except InvalidShares as error:
            fields["until"].wrong(str(error.facts["reason"]))
    return found


def _moment(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("write a date such as 2026-01-01") from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"write a date of the years {FIRST_YEAR} to {LAST_YEAR}")
    return microseconds_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def parties_document(client: Client) -> dict[str, Any]:  # Any: YAML values
    """Write what stands beside a split; what is nothing is left out."""
    document: dict[str, Any] = {}  # Any: as above
    fee = sum(share.fixed_fee for share in client.shares)
    if fee:
        document["fixed_fee"] = format_amount(fee)
    if client.referrers:
        document["referrers"] = {each.account: _written(each) for each in client.referrers}
    return document


def _written(referrer: Referrer) -> dict[str, str]:
    written = {"commission": format_percent(referrer.basis_points), "of": referrer.of}
    for name, at_us in (("from", referrer.from_us), ("until", referrer.until_us)):
        if at_us is not None:
            written[name] = _date(at_us)
    if referrer.bonus:
        written["bonus"] = format_amount(referrer.bonus)
    return written


def _date(at_us: int) -> str:
    moment = moment_of(at_us)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return f"{moment:%Y-%m-%d}" if moment - midnight == timedelta() else moment.isoformat()
