"""Words of pages in the visitor's language.

Templates write `{{ _("Top up") }}`, Python writes `_("Top up")` where the page is made and
`lazy("Top up")` in constants; both come out in the language of the running request.
"""

from __future__ import annotations


def gettext(text: str) -> str:
    """Return a sentence in the visitor's language."""
    return text


def ngettext(one: str, many: str, number: int) -> str:
    """Return the form of a sentence that fits a number."""
    return one if number == 1 else many
