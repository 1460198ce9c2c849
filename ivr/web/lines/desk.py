"""What the pages of lines share: who edits, what may be seen, and how a refusal is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from billing.errors import BillingError
from ivr.directory.edits import Change, ChangedMeanwhile, Editor
from ivr.directory.mistakes import CatalogInvalid
from ivr.directory.model import Did, Directory
from ivr.web.language import gettext as _
from ivr.web.problems import Refusal, problem_of
from ivr.web.queries.lines import lines_of
from ivr.web.scope import Right, Role, Who
from ivr.web.state import web_of

NUMBER_PATH: Final = "{number:[0-9]{2,20}}"
DIGIT_PATH: Final = "{digit:[0-9]}"
WHOLE: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How an attempt ended: what changed; or mistakes by field; or what somebody else made of it.

    The mistake of no field in particular stands under "".
    """

    change: Change | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    conflict: str | None = None

    @property
    def status(self) -> int:
        """The HTTP status of the page that shows it."""
        if self.conflict is not None:
            return 409
        return 422 if self.errors else 200


NOT_TRIED: Final = Tried()


def editor_of(request: web.Request, who: Who) -> Editor:
    """Say who changes things."""
    deps = web_of(request).deps
    client = None if who.role is Role.OPERATOR else who.scope.client(None)
    return Editor(engine=deps.engine, clock=deps.clock, pin_key=deps.pin_key, client=client)


def home_of(who: Who) -> str:
    """Return where the visitor's lines are."""
    return "/admin/dids" if who.role is Role.OPERATOR else "/portal/lines"


async def read_lines(request: web.Request, who: Who) -> Directory:
    """Read what the visitor may see."""
    running = web_of(request)
    async with running.reading() as connection:
        return await lines_of(connection, who.scope, running.now_us())


async def find_line(request: web.Request, who: Who) -> tuple[Directory, Did]:
    """Find the line of the address.

    Raises:
        Refusal: there is none, or it is somebody else's.

    """
    lines = await read_lines(request, who)
    did = lines.dids.get(request.match_info["number"])
    if did is None or did.rules.retired:
        raise Refusal("not_found", _("There is no such line."))
    return lines, did


def may(who: Who, lines: Directory, client: str, what: str) -> bool:
    """Tell whether the visitor may change such things of a client."""
    if not who.may(Right.LINES):
        return False
    if who.role is Role.OPERATOR:
        return True
    known = lines.clients.get(client)
    return known is not None and known.rules.limits.allows(what)


async def try_edit(work: Awaitable[Change]) -> Tried:
    """Do it; what speaks against it comes back for the page, what is broken is raised."""
    try:
        return Tried(change=await work)
    except CatalogInvalid as error:
        return Tried(errors={m.field: sentence(m.message) for m in reversed(error.mistakes)})
    except ChangedMeanwhile as error:
        return Tried(conflict=str(error.facts["now"]) or _("It is not there any more."))
    except BillingError as error:
        problem = problem_of(error)
        if problem is None or problem.status >= 500:
            raise
        return Tried(errors={WHOLE: problem.detail})


def sentence(message: str) -> str:
    """Make a sentence of a mistake."""
    return f"{message[:1].upper()}{message[1:]}".rstrip(".") + "."


def placed(
    errors: Mapping[str, str], fields: Iterable[str], *, below: str = ""
) -> Mapping[str, str]:
    """Bring mistakes to the fields of a form; what has none there is told above the form.

    `below` is the place in the document that the form is about.
    """
    known = set(fields)
    found: dict[str, str] = {}
    for place, message in errors.items():
        name = place.removeprefix(f"{below}.") if below else place
        near = _nearest(name, known)
        if near:
            found.setdefault(near, message)
        else:
            label = f"{name}: " if name and name != below else ""
            found[WHOLE] = f"{found[WHOLE]} {label}{message}" if WHOLE in found else label + message
    return found


def _nearest(name: str, known: set[str]) -> str:
    """Find the field at a place, or at the place above it: `hours[0].days`, `hours[0]`, `hours`."""
    while name and name not in known:
        name = name[: max(name.rfind("."), name.rfind("["), 0)]
    return name
