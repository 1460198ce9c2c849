"""Where a topic leads, and the only characters that may stand in a dial string."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from billing.errors import InvalidInput

PORT_MAX: Final = 65_535
DESTINATION_KINDS: Final = {
    "sip": re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,128}(:\d{1,5})?", re.ASCII),
    "demo": re.compile(r"agent", re.ASCII),
    "queue": re.compile(r"[a-z0-9-]{1,64}", re.ASCII),
    "phone": re.compile(r"\+[1-9]\d{6,14}", re.ASCII),
    "voicemail": re.compile(r"[a-z0-9-]{1,64}", re.ASCII),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a topic leads: `sip:user@host:port`, `queue:name`, or `demo:agent`."""

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
