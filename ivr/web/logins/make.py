"""Making a login for somebody else: its password is generated and told once."""

from __future__ import annotations

from ivr.web.logins.manage import UserChangeRefused
from ivr.web.passwords import generate
from ivr.web.rights import name_of
from ivr.web.scope import Right, Role, Who
from ivr.web.state import Web
from ivr.web.users import add_user


async def make_login(
    running: Web,
    who: Who,
    login: str,
    *,
    role: Role,
    subject: str | None,
    rights: frozenset[Right],
) -> str:
    """Make a login that must choose its own password; returns the first one.

    Raises:
        InvalidInput: a login of strange characters, or a subject that does not fit the role.
        UserChangeRefused: the visitor does not hold all of these rights itself.
        UserExists: the login is taken.

    """
    if role is who.role and not rights <= who.rights:
        raise UserChangeRefused(reason="you cannot hand out a right that you do not hold")
    password = generate()
    await add_user(
        running.deps.engine,
        login,
        password_hash=await running.passwords.hash(password),
        role=role,
        subject=subject,
        now_us=running.now_us(),
        rights=rights,
        must_change=True,
    )
    facts = f"{role.value}, {subject or 'no subject'}, {name_of(role, rights) or 'no rights'}"
    await running.note(who, "add login", login, after=facts)
    return password
