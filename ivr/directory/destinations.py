"""Where a topic leads, and the only characters that may stand in a dial string.

A phone is an international number of an ordinary line: numbers for emergencies, short ones,
premium-rate ones and satellites cannot be written down at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberType

from billing.errors import InvalidInput

PORT_MAX: Final = 65_535
# What the numbering plan calls satellites and other networks of no country.
NOWHERE: Final = "001"
DESTINATION_KINDS: Final = {
    "sip": re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,128}(:\d{1,5})?", re.ASCII),
    "demo": re.compile(r"agent", re.ASCII),
    "queue": re.compile(r"[a-z0-9-]{1,64}", re.ASCII),
    "phone": re.compile(r"\+[1-9]\d{6,14}", re.ASCII),
    "voicemail": re.compile(r"[a-z0-9-]{1,64}", re.ASCII),
}
ORDINARY_LINES: Final = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.VOIP,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a topic leads: `sip:user@host:port`, `queue:name`, `phone:+number`, `demo:agent`.

    `voicemail:name` takes a message for the people of the topic.
    """

    kind: str
    target: str

    @staticmethod
    def parse(text: str) -> Destination:
        """Read `kind:target`; only characters that can do no harm in a dial string pass.

        Raises:
            InvalidInput: an unknown kind, or a target of another form.

        """
        kind, colon, target = text.partition(":")
        pattern = DESTINATION_KINDS.get(kind)
        if not colon or pattern is None:
            raise InvalidInput(reason=f"begin with one of {', '.join(DESTINATION_KINDS)}")
        match = pattern.fullmatch(target)
        if match is None:
            raise InvalidInput(reason=f"not a {kind}: destination")
        if kind == "sip" and match[1] and not 0 < int(match[1][1:]) <= PORT_MAX:
            raise InvalidInput(reason="not a port")
        return Destination(kind=kind, target=target)

    def __str__(self) -> str:
        return f"{self.kind}:{self.target}"


def destination(text: str) -> Destination:
    """Read a destination that somebody writes down now.

    Raises:
        InvalidInput: what `Destination.parse` refuses, or a phone that may not be dialled.

    """
    found = Destination.parse(text)
    if found.kind == "phone" and country_of(found.target) is None:
        raise InvalidInput(
            reason="not the number of an ordinary line: emergency, short, premium-rate and "
            "satellite numbers are never dialled"
        )
    return found


def country_of(number: str) -> str | None:
    """Name the country of an ordinary line by its international number; None for any other."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    ordinary = phonenumbers.number_type(parsed) in ORDINARY_LINES
    if not (ordinary and phonenumbers.is_valid_number(parsed)):
        return None
    region = phonenumbers.region_code_for_number(parsed)
    return region if region != NOWHERE else None
