"""`talkmeter user`: add, list, passwd, factor-off; and `token`, for programs that use the API."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ivr.cli import context

if TYPE_CHECKING:
    from ivr.settings import Settings
    from ivr.web.scope import Right, Role
    from ivr.web.users import User

app = typer.Typer(
    help="People who log in to the web, and tokens of programs.", no_args_is_help=True
)
PASSWORD_BYTES_MAX = 1024
DAYS_MAX = 3650

ROLES = "operator, client, reseller, referrer or caller"
RoleOption = Annotated[str, typer.Option(help=ROLES)]
RightsOption = Annotated[
    str | None,
    typer.Option(help="A preset, such as viewer or finance; else all that its role may do."),
]
SubjectOption = Annotated[
    str | None, typer.Option(help="Code of the client, reseller, referrer or account.")
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(help="Read the password from this file; - is stdin. Else one is generated."),
]
MustChange = Annotated[
    bool, typer.Option("--must-change", help="The password must be changed at the first login.")
]
Ask = Annotated[bool, typer.Option("--prompt", help="Ask for the password.")]


@app.command()
def add(
    login: str,
    role: RoleOption = "operator",
    subject: SubjectOption = None,
    rights: RightsOption = None,
    password_file: PasswordFile = None,
    prompt: Ask = False,
    must_change: MustChange = False,
    json: context.JsonFlag = False,
) -> None:
    """Add a user; without a password given, one is generated and printed once."""
    wanted = _role(role)
    password, generated = _password(login, password_file, prompt=prompt)
    held = _rights(wanted, rights)
    context.run(
        _add(context.settings(), login, password, wanted, subject, held, must_change=must_change)
    )
    _print(login, wanted, subject, password if generated else None, json=json)


@app.command("list")
def list_users(json: context.JsonFlag = False) -> None:
    """List users."""
    from ivr.web.rights import name_of

    found = context.run(_list(context.settings()))
    if json:
        context.emit([_document(user) for user in found])
        return
    for user in found:
        state = "disabled" if user.disabled else ""
        held = name_of(user.role, user.rights)
        line = f"{user.login:<24} {user.role:<9} {user.subject or '-':<20} {held:<14} {state}"
        context.say(line.rstrip())


@app.command()
def passwd(
    login: str,
    password_file: PasswordFile = None,
    prompt: Ask = False,
    must_change: MustChange = False,
    json: context.JsonFlag = False,
) -> None:
    """Change a password; all sessions of the user end."""
    password, generated = _password(login, password_file, prompt=prompt)
    context.run(_passwd(context.settings(), login, password, must_change=must_change))
    if json:
        context.emit({"login": login, "password": password if generated else None})
    elif generated:
        context.say(f"{login}  {password}   (printed once, keep it)")
    else:
        context.say(f"{login}: the password is changed, all sessions are ended")


@app.command("factor-off")
def factor_off(login: str, json: context.JsonFlag = False) -> None:
    """Switch a user's second factor off (a lost phone); all sessions of the user end."""
    if not context.run(_factor_off(context.settings(), login)):
        context.fail(f"{login} has no second factor")
    if json:
        context.emit({"login": login, "second_factor": "off"})
    else:
        context.say(f"{login}: the second factor is off, all sessions are ended")


@app.command()
def token(
    name: str,
    role: RoleOption = "operator",
    subject: SubjectOption = None,
    rights: RightsOption = None,
    days: Annotated[int | None, typer.Option(min=1, max=DAYS_MAX, help="Ends after.")] = None,
    json: context.JsonFlag = False,
) -> None:
    """Make a bearer token for the API; it is printed once."""
    wanted = _role(role)
    held = _rights(wanted, rights)
    secret = context.run(_token(context.settings(), name, wanted, subject, days, held))
    if json:
        context.emit({"name": name, "role": role, "subject": subject, "token": secret})
    else:
        context.say(f"{secret}   (printed once, keep it)")


def _role(text: str) -> Role:
    from ivr.web.scope import Role

    try:
        return Role(text)
    except ValueError:
        raise typer.BadParameter(f"write {ROLES}", param_hint="--role") from None


def _rights(role: Role, name: str | None) -> frozenset[Right]:
    from ivr.web.rights import all_of, preset

    return all_of(role) if name is None else preset(role, name)


def _password(login: str, file: Path | None, *, prompt: bool) -> tuple[str, bool]:
    """Return the password, and whether it was generated."""
    from ivr.web.passwords import check_strength, generate

    if file is not None and prompt:
        raise typer.BadParameter("choose one of --prompt and --password-file")
    if prompt:
        password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    elif file is not None:
        password = _read(file)
    else:
        return generate(), True
    check_strength(password, login=login)
    return password, False


def _read(file: Path) -> str:
    try:
        if str(file) == "-":
            return sys.stdin.readline(PASSWORD_BYTES_MAX).rstrip("\r\n")
        with file.open(encoding="utf-8") as stream:
            return stream.readline(PASSWORD_BYTES_MAX).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        context.fail(f"the password cannot be read: {error}")


def _document(user: User) -> dict[str, object]:
    return {
        "login": user.login,
        "role": user.role.value,
        "subject": user.subject,
        "disabled": user.disabled,
        "rights": sorted(right.value for right in user.rights),
    }


def _print(
    login: str, role: Role, subject: str | None, password: str | None, *, json: bool
) -> None:
    if json:
        document = {"login": login, "role": role.value, "subject": subject, "password": password}
        context.emit(document)
        return
    context.say(f"{login:<24} {role.value:<9} {subject or ''}".rstrip())
    if password is not None:
        context.say(f"password  {password}   (printed once, keep it)")


async def _add(
    settings: Settings,
    login: str,
    password: str,
    role: Role,
    subject: str | None,
    rights: frozenset[Right],
    *,
    must_change: bool,
) -> None:
    from billing.clock import SystemClock, microseconds_of
    from ivr.cli.database import database
    from ivr.web.passwords import hash_password
    from ivr.web.users import add_user

    async with database(settings) as engine:
        await add_user(
            engine,
            login,
            password_hash=hash_password(password),
            role=role,
            subject=subject,
            rights=rights,
            must_change=must_change,
            now_us=microseconds_of(SystemClock().now()),
        )


async def _list(settings: Settings) -> list[User]:
    from ivr.cli.database import database
    from ivr.web.users import list_users as read

    async with database(settings) as engine, engine.connect() as connection:
        return await read(connection)


async def _passwd(settings: Settings, login: str, password: str, *, must_change: bool) -> None:
    from ivr.cli.database import database
    from ivr.web.passwords import hash_password
    from ivr.web.users import set_password

    async with database(settings) as engine:
        await set_password(
            engine, login, password_hash=hash_password(password), must_change=must_change
        )


async def _factor_off(settings: Settings, login: str) -> bool:
    from billing.clock import SystemClock
    from ivr.cli.database import database
    from ivr.web.factor.reset import reset_factor

    async with database(settings) as engine:
        return await reset_factor(engine, login, clock=SystemClock())


async def _token(
    settings: Settings,
    name: str,
    role: Role,
    subject: str | None,
    days: int | None,
    rights: frozenset[Right],
) -> str:
    from billing.clock import SystemClock
    from ivr.cli.database import database
    from ivr.web.tokens import add_token

    async with database(settings) as engine:
        return await add_token(
            engine,
            name,
            role=role,
            subject=subject,
            days=days,
            rights=rights,
            clock=SystemClock(),
        )
