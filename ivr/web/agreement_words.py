"""Agreements in words: one version, what changed from one to the next, and a call divided by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing.agreements import Agreement
from billing.clock import moment_of
from billing.domain.agreements import Referrer
from billing.domain.splits import Share, split
from billing.money import Micros
from ivr.web.language import gettext as _
from ivr.web.words import percent, plain_money, word


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version as a page shows it."""

    version: int
    in_force_us: int
    actor: str
    shares: str
    referrers: tuple[str, ...]
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What one party gets of a call, before and after a change; None where it gets no part."""

    kind: str
    account: str
    before: Micros | None
    after: Micros | None


def versions(history: Sequence[Agreement]) -> list[Version]:
    """Write a history, newest first, each version with what it changed."""
    found = []
    for number, one in enumerate(history):
        before = history[number - 1] if number else None
        found.append(
            Version(
                version=one.version,
                in_force_us=one.in_force_us,
                actor=one.actor or "",
                shares=", ".join(share_words(share) for share in one.shares),
                referrers=tuple(referrer_words(each) for each in one.referrers),
                changes=tuple(_changes(before, one)) if before else (_("The first agreement"),),
            )
        )
    return found[::-1]


def share_words(share: Share) -> str:
    """Write `Client acme 70%`, with the fee that comes first."""
    words = f"{party_words(share.kind, share.account)} {percent(share.basis_points)}"
    if share.fixed_fee:
        fee = plain_money(share.fixed_fee)
        words += " " + _("and %(fee)s of each call first") % {"fee": fee}
    return words


def referrer_words(each: Referrer) -> str:
    """Write a commission: how much, how long, and its bonus."""
    words = _("%(who)s: %(share)s of the %(of)s's share from %(begin)s until %(end)s") % {
        "who": each.account,
        "share": percent(each.basis_points),
        "of": each.of,
        "begin": _day(each.from_us),
        "end": _day(each.until_us),
    }
    if each.bonus:
        words += ", " + _("bonus %(amount)s") % {"amount": plain_money(each.bonus)}
    return words


def party_words(kind: str, account: str) -> str:
    """Name a party; there is one provider."""
    return word(kind) if account in {"provider", "tax"} else f"{word(kind)} {account}"


def slices(
    amount: Micros, before: Sequence[Share] | None, after: Sequence[Share] | None
) -> list[Slice]:
    """Divide an amount by two agreements; a party that is in one of them has a line."""
    old = _parts(amount, before)
    new = _parts(amount, after)
    return [
        Slice(
            kind=kind,
            account=account,
            before=old.get((kind, account)),
            after=new.get((kind, account)),
        )
        for kind, account in dict.fromkeys([*new, *old])
    ]


def _parts(amount: Micros, shares: Sequence[Share] | None) -> dict[tuple[str, str], Micros]:
    if shares is None:
        return {}
    found: dict[tuple[str, str], Micros] = {}
    for part in split(amount, tuple(shares)):
        place = (part.kind, part.account)
        found[place] = found.get(place, 0) + part.amount
    return found


def _changes(before: Agreement, after: Agreement) -> list[str]:
    old = {(share.kind, share.account): share_words(share) for share in before.shares}
    new = {(share.kind, share.account): share_words(share) for share in after.shares}
    old |= {("referrer of", each.account): referrer_words(each) for each in before.referrers}
    new |= {("referrer of", each.account): referrer_words(each) for each in after.referrers}
    changes = []
    for place in dict.fromkeys([*old, *new]):
        was, now = old.get(place), new.get(place)
        if was == now:
            continue
        if now is None:
            changes.append(_("gone: %(was)s") % {"was": was})
        elif was is None:
            changes.append(_("new: %(now)s") % {"now": now})
        else:
            changes.append(_("%(was)s is now %(now)s") % {"was": was, "now": now})
    return changes


def _day(at_us: int | None) -> str:
    return f"{moment_of(at_us):%Y-%m-%d}" if at_us is not None else _("the client's start")
