"""Operations on logins: the same rules as on their pages. A token has no login of its own."""

from __future__ import annotations

from typing import Final

from ivr.calls.history import moment
from ivr.web.api import login_models as models
from ivr.web.api.gate import Answer, Ask, Operation
from ivr.web.api.places import LOGIN, SESSION
from ivr.web.logins import manage
from ivr.web.logins.make import make_login
from ivr.web.passwords import generate
from ivr.web.problems import wrong_fields
from ivr.web.queries.users import UserFilter, UserItem, find_user, list_users
from ivr.web.rights import all_of, write_rights
from ivr.web.scope import CLIENTS, OPERATORS, REFERRERS, RESELLERS, Right, Role

MANAGERS: Final = OPERATORS | CLIENTS | RESELLERS | REFERRERS
REFUSALS: Final = ("not_found", "user_change_refused")


async def list_logins(ask: Ask) -> Answer:
    """List logins."""
    assert isinstance(ask.query, models.LoginsQuery)
    query = ask.query
    wanted = UserFilter(
        text=query.q,
        role=Role(query.role) if query.role else None,
        disabled=query.state == "disabled" if query.state else None,
    )
    async with ask.web.reading() as connection:
        found = await list_users(
            connection, ask.who.scope, wanted, after=query.place(str), limit=query.reach
        )
    items, after = query.cut(found, lambda one: one.login)
    return Answer(model=models.Logins(items=tuple(map(_login, items)), next=after))


async def show_login(ask: Ask) -> Answer:
    """Show one login."""
    return Answer(model=_login(await _find(ask)))


async def add_login(ask: Ask) -> Answer:
    """Make a login and tell its password, this once."""
    assert isinstance(ask.body, models.NewLogin)
    body, who = ask.body, ask.who
    role, subject = body.role or who.role, body.subject
    if who.role is not Role.OPERATOR:
        if role is not who.role or subject not in {None, who.scope.subject}:
            raise wrong_fields({"role": "Your logins are of your own company."})
        subject = who.scope.subject
    rights = all_of(role) if body.rights is None else _rights(role, body.rights)
    password = await make_login(ask.web, who, body.login, role=role, subject=subject, rights=rights)
    return Answer(
        model=models.MadeLogin(login=body.login, password=password),
        headers=(("Location", f"/api/v1/logins/{body.login}"),),
    )


async def set_rights(ask: Ask) -> Answer:
    """Give a login the rights that are named, and no others."""
    assert isinstance(ask.body, models.LoginRights)
    rights = _rights((await _find(ask)).role, ask.body.rights)
    before = await manage.set_rights(ask.web.deps.engine, ask.who, ask.named("login"), rights)
    held, wanted = write_rights(before.rights) or "none", write_rights(rights) or "none"
    await ask.web.note(ask.who, "change rights", before.login, before=held, after=wanted)
    return await show_login(ask)


async def set_state(ask: Ask) -> Answer:
    """Disable or enable a login."""
    assert isinstance(ask.body, models.LoginState)
    disabled = ask.body.state == "disabled"
    before = await manage.set_disabled(
        ask.web.deps.engine, ask.who, ask.named("login"), disabled=disabled
    )
    action, was = "disable login" if disabled else "enable login", _state(before)
    await ask.web.note(ask.who, action, before.login, before=was, after=ask.body.state)
    return await show_login(ask)


async def new_password(ask: Ask) -> Answer:
    """Generate a password and tell it, this once."""
    password, login = generate(), ask.named("login")
    await _find(ask)
    hashed = await ask.web.passwords.hash(password)
    await manage.reset_password(ask.web.deps.engine, ask.who, login, password_hash=hashed)
    await ask.web.note(
        ask.who, "reset password", login, before="old password", after="generated, to be changed"
    )
    return Answer(model=models.MadeLogin(login=login, password=password))


async def factor_off(ask: Ask) -> Answer:
    """Switch the second factor off for somebody who lost it."""
    before = await manage.reset_factor(ask.web.deps.engine, ask.who, ask.named("login"))
    was = "on" if before.factor else "off"
    await ask.web.note(ask.who, "reset second factor", before.login, before=was, after="off")
    return await show_login(ask)


async def list_sessions(ask: Ask) -> Answer:
    """List the sessions of a login."""
    user = await _find(ask)
    async with ask.web.reading() as connection:
        found = await ask.web.sessions.list(connection, user.login)
    return Answer(
        model=models.Sessions(
            items=tuple(
                models.Session(
                    id=one.id,
                    began_at=moment(one.created_us) or "",
                    seen_at=moment(one.seen_us) or "",
                    address=one.address,
                    agent=one.agent,
                )
                for one in found
            )
        )
    )


async def end_sessions(ask: Ask) -> Answer:
    """End all sessions of a login."""
    user = await _find(ask)
    async with ask.web.reading() as connection:
        found = await ask.web.sessions.list(connection, user.login)
    await manage.end_sessions(ask.web.deps.engine, ask.who, user.login)
    await ask.web.note(ask.who, "end sessions", user.login, after="ended")
    return Answer(model=models.EndedSessions(login=user.login, ended=len(found)))


async def end_session(ask: Ask) -> Answer:
    """End one session of a login; one that is over already is no mistake."""
    login, session = ask.named("login"), ask.named("session")
    ended = await manage.end_session(ask.web.deps.engine, ask.who, login, session)
    if ended:
        await ask.web.note(ask.who, "end session", login, after="ended")
    return Answer(model=models.EndedSessions(login=login, ended=ended))


async def _find(ask: Ask) -> UserItem:
    async with ask.web.reading() as connection:
        return await find_user(connection, ask.who.scope, ask.named("login"))


def _rights(role: Role, wanted: tuple[Right, ...]) -> frozenset[Right]:
    rights = frozenset(wanted)
    if beyond := rights - all_of(role):
        words = write_rights(beyond)
        raise wrong_fields({"rights": f"A login of this role cannot have: {words}."})
    return rights


def _state(user: UserItem) -> str:
    return "disabled" if user.disabled else "active"


def _login(user: UserItem) -> models.Login:
    return models.Login(
        login=user.login,
        role=user.role,
        subject=user.subject,
        rights=tuple(right for right in Right if right in user.rights),
        state="disabled" if user.disabled else "active",
        must_change_password=user.must_change,
        second_factor=user.factor,
        created_at=moment(user.created_us) or "",
        last_seen_at=moment(user.seen_us),
    )


OPERATIONS: Final = (
    Operation(
        method="GET", path="/logins", name="listLogins", summary="List logins by name",
        roles=MANAGERS, right=Right.USERS, handler=list_logins, query=models.LoginsQuery,
        answer=models.Logins,
    ),
    Operation(
        method="POST", path="/logins", name="addLogin",
        summary="Make a login; its first password is told once", roles=MANAGERS,
        description="A login that exists is refused (409). Nobody hands out a right that it lacks.",
        right=Right.USERS, handler=add_login, body=models.NewLogin, answer=models.MadeLogin,
        statuses=(201,), located="showLogin",
        problems=("invalid_input", "user_exists", "user_change_refused"),
    ),
    Operation(
        method="GET", path=f"/logins/{LOGIN}", name="showLogin", summary="Show a login",
        roles=MANAGERS, right=Right.USERS, handler=show_login, answer=models.Login,
    ),
    Operation(
        method="POST", path=f"/logins/{LOGIN}/rights", name="setLoginRights",
        summary="Give a login other rights; they count from its next click on", roles=MANAGERS,
        right=Right.USERS, handler=set_rights, body=models.LoginRights, answer=models.Login,
        problems=(*REFUSALS, "invalid_input"),
    ),
    Operation(
        method="POST", path=f"/logins/{LOGIN}/state", name="setLoginState",
        summary="Disable a login, which ends its sessions, or enable it again", roles=MANAGERS,
        right=Right.USERS, handler=set_state, body=models.LoginState, answer=models.Login,
        problems=REFUSALS,
    ),
    Operation(
        method="POST", path=f"/logins/{LOGIN}/password", name="resetLoginPassword",
        summary="Generate a password, told once; its sessions end", roles=MANAGERS,
        right=Right.USERS, handler=new_password, answer=models.MadeLogin, problems=REFUSALS,
    ),
    Operation(
        method="DELETE", path=f"/logins/{LOGIN}/factor", name="resetLoginFactor",
        summary="Switch off the second factor of somebody who lost it; its sessions end",
        roles=MANAGERS, right=Right.USERS, handler=factor_off, answer=models.Login,
        problems=REFUSALS,
    ),
    Operation(
        method="GET", path=f"/logins/{LOGIN}/sessions", name="listSessions",
        summary="List where a login is logged in", roles=MANAGERS, right=Right.USERS,
        handler=list_sessions, answer=models.Sessions,
    ),
    Operation(
        method="POST", path=f"/logins/{LOGIN}/sessions/end", name="endSessions",
        summary="End all sessions of a login", roles=MANAGERS, right=Right.USERS,
        handler=end_sessions, answer=models.EndedSessions, problems=REFUSALS,
    ),
    Operation(
        method="DELETE", path=f"/logins/{LOGIN}/sessions/{SESSION}", name="endSession",
        summary="End one session of a login", roles=MANAGERS, right=Right.USERS,
        handler=end_session, answer=models.EndedSessions, problems=REFUSALS,
    ),
)  # fmt: skip
