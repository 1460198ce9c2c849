"""All pages of callers."""

from __future__ import annotations

from typing import Final

from ivr.web.account import calls, cards, home, identity, money, plan, settings, statements
from ivr.web.guard import Page

PAGES: Final[tuple[Page, ...]] = (
    *home.PAGES,
    *calls.PAGES,
    *money.PAGES,
    *cards.PAGES,
    *plan.PAGES,
    *statements.PAGES,
    *identity.PAGES,
    *settings.PAGES,
)
