"""The menu beside each page: for every role its groups of links, in the order of daily use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ivr.web.scope import Right, Role, Who


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One entry; it is current on its own page and on those below it.

    A login without its `right` does not see it.
    """

    path: str
    title: str
    right: Right | None = None

    def leads_to(self, path: str, *, home: str) -> bool:
        """Tell whether the visitor is there; everything lies below a home, so that one is exact."""
        return path == self.path or (self.path != home and path.startswith(self.path + "/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Links under one heading; the first group needs none."""

    title: str
    links: tuple[Link, ...]


def _group(title: str, *links: tuple[str, str] | Link) -> Group:
    made = (link if isinstance(link, Link) else Link(path=link[0], title=link[1]) for link in links)
    return Group(title=title, links=tuple(made))


def links_of(group: Group, who: Who) -> tuple[Link, ...]:
    """Return the links of a group that a login may use."""
    return tuple(link for link in group.links if link.right is None or who.may(link.right))


def _users(path: str, title: str) -> Link:
    return Link(path=path, title=title, right=Right.USERS)


_PORTAL_ACCESS: Final = _group(
    "Access",
    _users("/portal/users", "Logins"),
    _users("/portal/keys", "API keys"),
    _users("/portal/audit", "Audit log"),
)

_PARTNER: Final = (
    _group(
        "",
        ("/portal", "Earnings"),
        ("/portal/payouts", "Payouts"),
        ("/portal/statement", "Statement"),
    ),
    _PORTAL_ACCESS,
)
MENUS: Final[Mapping[Role, tuple[Group, ...]]] = {
    Role.OPERATOR: (
        _group(
            "",
            ("/admin", "Overview"),
            ("/admin/live", "Live calls"),
            ("/admin/board", "Queue board"),
            ("/admin/calls", "Calls"),
            ("/admin/desk", "Desk"),
        ),
        _group(
            "Customers",
            ("/admin/accounts", "Accounts"),
            ("/admin/vouchers", "Vouchers"),
            ("/admin/plans", "Plans"),
            ("/admin/invoices", "Invoices"),
            ("/admin/import", "Import"),
        ),
        _group(
            "Lines",
            ("/admin/clients", "Clients"),
            ("/admin/parties", "Partners"),
            ("/admin/dids", "Lines"),
            ("/admin/queues", "Queues"),
            ("/admin/tariffs", "Tariffs"),
            ("/admin/prompts", "Prompts"),
            ("/admin/webhooks", "Webhooks"),
        ),
        _group(
            "Money",
            ("/admin/report", "Revenue"),
            ("/admin/reports", "Reports"),
            ("/admin/payouts", "Payouts"),
            ("/admin/payments", "Card payments"),
        ),
        _group(
            "Operations",
            ("/admin/alarms", "Alarms"),
            ("/admin/limits", "Limits"),
            ("/admin/health", "System health"),
        ),
        _group(
            "Access",
            _users("/admin/users", "Logins"),
            _users("/admin/keys", "API keys"),
            _users("/admin/audit", "Audit log"),
            _users("/admin/settings", "Settings"),
        ),
    ),
    Role.CLIENT: (
        _group(
            "",
            ("/portal", "Revenue"),
            ("/portal/today", "Today"),
            ("/portal/live", "Live calls"),
            ("/portal/board", "Queue board"),
            ("/portal/calls", "Calls"),
            ("/portal/desk", "Desk"),
            ("/portal/payouts", "Payouts"),
            ("/portal/statement", "Statement"),
        ),
        _group(
            "Lines",
            ("/portal/lines", "Lines"),
            ("/portal/queues", "Queues"),
            ("/portal/tariffs", "Tariffs"),
            ("/portal/prompts", "Prompts"),
            ("/portal/webhooks", "Webhooks"),
        ),
        _PORTAL_ACCESS,
    ),
    Role.RESELLER: _PARTNER,
    Role.REFERRER: _PARTNER,
    Role.CALLER: (
        _group("", ("/account", "Overview"), ("/account/calls", "Calls")),
        _group(
            "Money",
            ("/account/topup", "Top up"),
            ("/account/plan", "Plan"),
            ("/account/statements", "Statements"),
        ),
        _group(
            "My account",
            ("/account/phones", "Phones and PIN"),
            ("/account/webhooks", "Webhooks"),
            ("/account/settings", "Settings"),
        ),
    ),
}
