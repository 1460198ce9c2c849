"""Sets of rights: how they are kept, and the usual ones by name.

A set is kept as words with a space between them. Nobody hands out a right that he does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from billing.errors import InvalidInput
from ivr.web.scope import Right, Role

ALL: Final = frozenset(Right)
NONE: Final[frozenset[Right]] = frozenset()
OWNER: Final = "owner"
ADMINISTRATOR: Final = "administrator"

_COMPANY: Final = frozenset({Right.CALLS, Right.MONEY, Right.LINES, Right.USERS})
_PARTY: Final = frozenset({Right.MONEY, Right.USERS})

# The first one of a role is what its logins get unless told otherwise.
PRESETS: Final[Mapping[Role, Mapping[str, frozenset[Right]]]] = {
    Role.OPERATOR: {
        ADMINISTRATOR: ALL,
        "finance": frozenset({Right.MONEY}),
        "support": frozenset({Right.CALLS, Right.ACCOUNTS}),
        "lines": frozenset({Right.LINES}),
        "viewer": NONE,
    },
    Role.CLIENT: {
        OWNER: _COMPANY,
        "finance": frozenset({Right.MONEY}),
        "desk": frozenset({Right.CALLS}),
        "lines": frozenset({Right.LINES}),
        "viewer": NONE,
    },
    Role.RESELLER: {OWNER: _PARTY, "viewer": NONE},
    Role.REFERRER: {OWNER: _PARTY, "viewer": NONE},
    Role.CALLER: {OWNER: NONE},
}


def read_rights(text: str) -> frozenset[Right]:
    """Read what the database keeps; a word of another version is no right."""
    known = {right.value for right in Right}
    return frozenset(Right(word) for word in text.split() if word in known)


def write_rights(rights: Iterable[Right]) -> str:
    """Write a set as the database keeps it."""
    return " ".join(sorted(right.value for right in rights))


def all_of(role: Role) -> frozenset[Right]:
    """Return every right that means something for a role."""
    return next(iter(PRESETS[role].values()))


def preset(role: Role, name: str) -> frozenset[Right]:
    """Return the rights of a preset.

    Raises:
        InvalidInput: the role has no such preset.

    """
    try:
        return PRESETS[role][name]
    except KeyError:
        known = ", ".join(PRESETS[role])
        raise InvalidInput(reason=f"the rights of {_a(role)} are one of: {known}") from None


def name_of(role: Role, rights: frozenset[Right]) -> str:
    """Name the preset of a set; what is none is a list of its rights."""
    for name, each in PRESETS[role].items():
        if each == rights:
            return name
    return ", ".join(sorted(right.value for right in rights))


def _a(role: Role) -> str:
    return f"an {role}" if role is Role.OPERATOR else f"a {role}"
