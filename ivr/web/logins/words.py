"""Rights in words: what a login holds, and the choices of a form."""

from __future__ import annotations

from ivr.web.language import gettext as _
from ivr.web.queries.users import UserItem
from ivr.web.rights import PRESETS, all_of, name_of
from ivr.web.scope import Right, Role
from ivr.web.words import word


def meaning(right: Right) -> str:
    """Say what a right allows."""
    match right:
        case Right.CALLS:
            return _("Hang up, listen, the desk")
        case Right.ACCOUNTS:
            return _("Open and block accounts, phones, PINs, plans")
        case Right.MONEY:
            return _("Top up, refund, vouchers, invoices, payouts")
        case Right.LINES:
            return _("Lines, topics, tariffs, prompts, webhooks")
        case Right.USERS:
            return _("Logins, keys, audit, settings")


def show_rights(user: UserItem) -> str:
    """Name what a login may do."""
    if user.role is Role.CALLER:
        return _("Own account")
    return ", ".join(
        word(name) for name in name_of(user.role, user.rights).split(", ") if name
    ) or _("Nothing")


def rights_of(user: UserItem) -> list[tuple[str, str, bool]]:
    """List every right that means something for a login: word, meaning, whether it is held."""
    if len(PRESETS[user.role]) == 1:
        return []
    wanted = all_of(user.role) | user.rights
    return [
        (right.value, meaning(right), right in user.rights) for right in Right if right in wanted
    ]
