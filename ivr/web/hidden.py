"""Leaves out of a page the forms that its visitor may not send, so that no template forgets one.

What counts is the gate (`ivr.web.guard`); this only spares people a button that answers no. A form
with fields leaves a sentence behind, a lone button nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ivr.web.language import gettext as _
from ivr.web.rights import all_of
from ivr.web.scope import Right, Role, Who

# Forms do not nest, and what strangers sent is escaped: no other `<form` stands in a page.
FORM: Final = re.compile(r"<form\b(?P<head>[^>]*)>(?P<inside>.*?)</form>", re.DOTALL)
ACTION: Final = re.compile(r'\baction="(?P<path>[^"?]*)')
POST: Final = re.compile(r'\bmethod="post"', re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """A form's address and the right that it takes."""

    address: re.Pattern[str]
    right: Right


def without_forms(text: str, who: Who, needed: Sequence[Needed]) -> str:
    """Return the page without what the visitor may not send."""
    if who.role is Role.CALLER or who.rights >= all_of(who.role):
        return text
    missing = [each.address for each in needed if not who.may(each.right)]

    def kept(form: re.Match[str]) -> str:
        action = ACTION.search(form["head"])
        if action is None or not POST.search(form["head"]):
            return form[0]
        if not any(address.fullmatch(action["path"]) for address in missing):
            return form[0]
        if "<label" not in form["inside"]:
            return ""
        return f'<p class="hint">{_("Your login lacks the right to do this.")}</p>'

    return FORM.sub(kept, text)
