"""The menu beside each page: for every role its groups of links, in the order of daily use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ivr.web.scope import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One entry; it is current on its own page and on those below it."""

    path: str
    title: str

    def leads_to(self, path: str, *, home: str) -> bool:
        """Tell whether the visitor is there; everything lies below a home, so that one is exact."""
        return path == self.path or (self.path != home and path.startswith(self.path + "/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Links under one heading; the first group needs none."""

    title: str
    links: tuple[Link, ...]


def _group(title: str, *links: tuple[str, str]) -> Group:
    return Group(title=title, links=tuple(Link(path=path, title=name) for path, name in links))


MENUS: Final[Mapping[Role, tuple[Group, ...]]] = {
    Role.OPERATOR: (
        _group(
            "",
            ("/admin", "Overview"),
            ("/admin/live", "Live calls"),
            ("/admin/calls", "Calls"),
            ("/admin/desk", "Desk"),
        ),
        _group(
            "Customers",
            ("/admin/accounts", "Accounts"),
            ("/admin/vouchers", "Vouchers"),
            ("/admin/plans", "Plans"),
            ("/admin/invoices", "Invoices"),
        ),
        _group(
            "Lines",
            ("/admin/clients", "Clients"),
            ("/admin/tariffs", "Tariffs"),
            ("/admin/prompts", "Prompts"),
            ("/admin/webhooks", "Webhooks"),
        ),
        _group(
            "Money",
            ("/admin/report", "Revenue"),
            ("/admin/reports", "Reports"),
            ("/admin/payouts", "Payouts"),
        ),
    ),
    Role.CLIENT: (
        _group(
            "",
            ("/portal", "Revenue"),
            ("/portal/live", "Live calls"),
            ("/portal/calls", "Calls"),
            ("/portal/desk", "Desk"),
            ("/portal/payouts", "Payouts"),
        ),
        _group(
            "Lines",
            ("/portal/prompts", "Prompts"),
            ("/portal/webhooks", "Webhooks"),
        ),
    ),
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
            ("/account/settings", "Settings"),
        ),
    ),
}
