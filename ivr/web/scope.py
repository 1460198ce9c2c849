"""Who is asking, and which rows that is. Every query takes a `Scope`; there is none without.

operator   everything
client     calls on its own DIDs, its own revenue; no balances of callers
reseller   what its clients sold in all (those whose split names it), and its own share; no calls
referrer   its own commissions; no calls
caller     its own account and calls; not how the money was shared

A `Right` is what a login may do beyond looking. Callers need none: what they do is about their own
account alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, false, true

from ivr.tables import calls
from ivr.web.live import LiveCall


class Role(StrEnum):
    """What a login or token is for."""

    OPERATOR = "operator"
    CLIENT = "client"
    RESELLER = "reseller"
    REFERRER = "referrer"
    CALLER = "caller"


class Right(StrEnum):
    """What a login may be allowed to do beyond looking; each form of /admin names one."""

    CALLS = "calls"  # hang up, listen in, extend, the desk
    ACCOUNTS = "accounts"  # open, block, phones, PINs, plans
    MONEY = "money"  # top up, adjust, refund, vouchers, invoices, payouts
    LINES = "lines"  # clients, DIDs, topics, tariffs, plans' prices, prompts, webhooks
    USERS = "users"  # logins, roles, tokens, limits, settings


EVERYBODY: Final = frozenset(Role)
OPERATORS: Final = frozenset({Role.OPERATOR})
CLIENTS: Final = frozenset({Role.CLIENT})
RESELLERS: Final = frozenset({Role.RESELLER})
REFERRERS: Final = frozenset({Role.REFERRER})
CALLERS: Final = frozenset({Role.CALLER})
HOMES: Final = {
    Role.OPERATOR: "/admin",
    Role.CLIENT: "/portal",
    Role.RESELLER: "/portal",
    Role.REFERRER: "/portal",
    Role.CALLER: "/account",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The rows that somebody may see; `subject` is the code of the client, party or account.

    `under` are the clients that a reseller or referrer has to do with, as of this request.
    """

    role: Role
    subject: str | None
    under: frozenset[str] = frozenset()

    def calls(self) -> ColumnElement[bool]:
        """Write the condition on rows of `calls`."""
        match self.role:
            case Role.OPERATOR:
                return true()
            case Role.CLIENT if self.subject:
                return calls.c.client == self.subject
            case Role.CALLER if self.subject:
                return calls.c.account == self.subject
            case _:
                return false()

    def sees(self, call: LiveCall) -> bool:
        """Tell the same of a live call."""
        match self.role:
            case Role.OPERATOR:
                return True
            case Role.CLIENT if self.subject:
                return call.client == self.subject
            case Role.CALLER if self.subject:
                return call.account == self.subject
            case _:
                return False

    def client(self, wanted: str | None) -> str | None:
        """Return the client that a report is about: a client gets its own, whatever it asks for.

        Raises:
            NotYours: a reseller names none of its own, or others ask at all.

        """
        if self.role is Role.OPERATOR:
            return wanted
        if self.role is Role.CLIENT and self.subject:
            return self.subject
        if self.role is Role.RESELLER and wanted in self.under:
            return wanted
        raise NotYours

    @property
    def sees_balances(self) -> bool:
        """Balances of callers are nobody's business but the provider's and their own."""
        return self.role in {Role.OPERATOR, Role.CALLER}

    @property
    def sees_split(self) -> bool:
        """How revenue is shared is not the caller's business."""
        return self.role is not Role.CALLER


class NotYours(Exception):
    """The visitor asked for what belongs to somebody else; the answer is that of an absent row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """An authenticated visitor. `csrf` is empty for a bearer token, which no browser sends."""

    login: str
    scope: Scope
    address: str
    csrf: str
    session: str
    # A caller who proved itself with account and PIN, not with a login and its password.
    by_pin: bool = False
    # When the password was typed last in this session.
    proved_us: int = 0
    # What this login must do before anything else: password, factor.
    steps: tuple[str, ...] = ()
    rights: frozenset[Right] = field(default=frozenset())

    def may(self, right: Right | str) -> bool:
        """Tell whether the visitor holds a right; callers need none."""
        return self.role is Role.CALLER or right in self.rights

    @property
    def role(self) -> Role:
        """What the visitor is."""
        return self.scope.role

    @property
    def home(self) -> str:
        """Where the visitor's own pages begin."""
        return HOMES[self.role]
