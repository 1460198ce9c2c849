"""Amounts as people type them: with the decimal comma where it is one, and never misread.

`1,234` may be a thousand and more or one and a bit, and both differ by a factor of a thousand; who
reads commas as decimals is asked to write it so that it cannot be taken for the other.
"""

from __future__ import annotations

import re
from typing import Final

from ivr.web.language import gettext as _
from ivr.web.language import viewer

POINT: Final = "."
_SIGNED: Final = re.compile(r"([+-]?)(.*)", re.DOTALL)
# One mark with three digits behind it. A leading zero begins no thousands: 0,125 is what it is.
_AMBIGUOUS: Final = re.compile(r"([1-9]\d{0,2})[.,](\d{3})", re.ASCII)
_GROUPED: Final = re.compile(r"([1-9]\d{0,2}(?:\.\d{3})+)(?:,(\d*))?", re.ASCII)


def plain_amount(text: str) -> str:
    """Write a typed amount with a decimal point; what is no amount comes back as it is.

    Raises:
        ValueError: it can be read in two ways.

    """
    if viewer().locale.number_symbols["latn"]["decimal"] == POINT:
        return text
    match = _SIGNED.fullmatch(text.strip())
    sign, digits = match.groups() if match else ("", text)
    if twofold := _AMBIGUOUS.fullmatch(digits):
        whole, fraction = twofold.groups()
        many, few = f"{whole}{fraction},00", f"{whole},{fraction}0"
        raise ValueError(
            _("this can be read in two ways: write %(many)s or %(few)s", many=many, few=few)
        )
    if grouped := _GROUPED.fullmatch(digits):
        whole, fraction = grouped[1].replace(".", ""), grouped[2]
        return f"{sign}{whole}" if fraction is None else f"{sign}{whole}.{fraction}"
    return f"{sign}{digits.replace(',', POINT)}" if digits.count(",") == 1 else text
