"""System health: every part with how it is and a sentence on it; never a secret."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from ivr.machine import MachineFacts
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.queries.health import DatabaseFacts, read_database
from ivr.web.scope import OPERATORS, Who
from ivr.web.state import Web, web_of
from ivr.web.words import duration, size

GOOD: Final = "good"
WARN: Final = "warn"
BAD: Final = "bad"
PROBE_SECONDS: Final = 5.0
SLOW_SECONDS: Final = 0.25
BATCH_SECONDS: Final = 0.5
QUEUE_LONG: Final = 500
SILENT_SECONDS: Final = 15.0
STALE_SECONDS: Final = 10.0
DRIFT_SECONDS: Final = 2.0
DISK_WARN: Final = 90
DISK_BAD: Final = 97
NONE: Final = "\N{EN DASH}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the system: `state` is good, warn or bad."""

    name: str
    state: str
    says: str
    figures: tuple[tuple[str, str], ...] = ()


async def show(request: web.Request, who: Who) -> web.Response:
    """Show all parts."""
    running = web_of(request)
    parts = await parts_of(running)
    worst = worst_of(parts)
    return render(request, "admin/health.html", who, {"parts": parts, "worst": worst})


async def parts_of(running: Web) -> list[Part]:
    """Look at everything."""
    facts, database = await asyncio.gather(running.deps.machine.look(), _database(running))
    return [
        _asterisk(facts), _database_part(database), _ledger(facts), _journal(facts),
        _meter(facts), _directory(facts), _jobs(facts), _webhooks(database), _disk(facts),
    ]  # fmt: skip


def worst_of(parts: list[Part]) -> str:
    """Tell how it is as a whole."""
    states = {part.state for part in parts}
    return BAD if BAD in states else WARN if WARN in states else GOOD


async def _database(running: Web) -> DatabaseFacts | None:
    try:
        async with asyncio.timeout(PROBE_SECONDS), running.reading() as connection:
            return await read_database(connection, running.now_us(), running.deps.clock)
    except (SQLAlchemyError, OSError, TimeoutError):
        return None


def _asterisk(facts: MachineFacts) -> Part:
    node = facts.asterisk
    state, says = GOOD, _("Linked; its events arrive.")
    if node.refused:
        state, says = BAD, _("It refuses our user name or secret.")
    elif not node.linked:
        state = BAD
        says = _(
            "No link for %(time)s. New calls are refused, running ones end at their limit."
        ) % {"time": duration(node.down_seconds or 0)}
    elif node.heard_seconds is not None and node.heard_seconds > SILENT_SECONDS:
        state, says = WARN, _("Nothing was heard of it for a while.")
    elif node.drift_seconds is not None and abs(node.drift_seconds) > DRIFT_SECONDS:
        state, says = WARN, _("Its clock and ours differ; run a time service on both.")
    figures = (
        (_("Version"), node.version or NONE),
        (_("Started"), node.boot.replace("T", " ") or NONE),
        (_("Channels"), NONE if node.channels is None else str(node.channels)),
        (_("Last word"), _ago(node.heard_seconds)),
        (
            _("Clocks differ by"),
            NONE if node.drift_seconds is None else f"{node.drift_seconds:.2f} s",
        ),
        (_("Links lost"), str(node.outages)),
    )
    return Part(
        name=_("Asterisk of %(node)s") % {"node": facts.node},
        state=state,
        says=says,
        figures=figures,
    )


def _database_part(database: DatabaseFacts | None) -> Part:
    if database is None:
        return Part(name=_("Database"), state=BAD, says=_("It does not answer in time."))
    slow = database.seconds > SLOW_SECONDS
    state, says = (WARN, _("It answers slowly.")) if slow else (GOOD, _("It answers."))
    if database.revision != database.newest:
        state, says = BAD, _("Its tables are of another version: run talkmeter db upgrade.")
    figures = (
        (_("Kind"), database.kind),
        (_("Answered in"), f"{database.seconds * 1000:.1f} ms"),
        (_("Size"), NONE if database.bytes is None else size(database.bytes)),
        (_("Revision"), database.revision),
    )
    return Part(name=_("Database"), state=state, says=says, figures=figures)


def _ledger(facts: MachineFacts) -> Part:
    state, says = GOOD, _("It writes what comes.")
    if facts.ledger_waiting > QUEUE_LONG:
        state, says = BAD, _("Requests pile up before it.")
    elif facts.ledger_last_seconds > BATCH_SECONDS:
        state, says = WARN, _("Its last commit took long.")
    size_of_batch = facts.ledger_operations / max(1, facts.ledger_batches)
    figures = (
        (_("Waiting"), str(facts.ledger_waiting)),
        (_("Commits"), f"{facts.ledger_batches:,}"),
        (_("Requests per commit"), f"{size_of_batch:.1f}"),
        (_("Last commit"), f"{facts.ledger_last_seconds * 1000:.1f} ms"),
    )
    return Part(name=_("Ledger"), state=state, says=says, figures=figures)


def _journal(facts: MachineFacts) -> Part:
    if not facts.journal_waiting:
        return Part(name=_("Journal of settlements"), state=GOOD, says=_("Empty: all are booked."))
    return Part(
        name=_("Journal of settlements"),
        state=BAD if facts.journal_seconds > STALE_SECONDS else WARN,
        says=_("Settlements wait for the database; they are booked by themselves."),
        figures=(
            (_("Waiting"), str(facts.journal_waiting)),
            (_("Oldest"), _ago(facts.journal_seconds)),
        ),
    )


def _meter(facts: MachineFacts) -> Part:
    good = facts.late_slices == 0
    says = _("Every slice was held in time.") if good else _("Some slices were not held in time.")
    if not facts.accepting:
        says = _("The service is about to stop and takes no new calls.")
    figures = (
        (_("Live calls"), str(facts.live_calls)),
        (_("Late slices since the start"), str(facts.late_slices)),
    )
    state = GOOD if good and facts.accepting else WARN
    return Part(name=_("Meter"), state=state, says=says, figures=figures)


def _directory(facts: MachineFacts) -> Part:
    stale = facts.directory_seconds > STALE_SECONDS
    says = _("Changes of lines are not seen.") if stale else _("Lines and prices are new.")
    figures = ((_("Looked"), _ago(facts.directory_seconds)),)
    return Part(name=_("Directory"), state=BAD if stale else GOOD, says=says, figures=figures)


def _jobs(facts: MachineFacts) -> Part:
    dead = [name for name, alive in facts.jobs if not alive]
    says = _("All run.") if not dead else _("Ended: %(names)s.") % {"names": ", ".join(dead)}
    names = ", ".join(sorted(name for name, alive in facts.jobs if alive)) or NONE
    figures = ((_("Running"), names),)
    return Part(name=_("Jobs"), state=BAD if dead else GOOD, says=says, figures=figures)


def _webhooks(database: DatabaseFacts | None) -> Part:
    if database is None:
        return Part(name=_("Webhooks"), state=WARN, says=_("Not known without the database."))
    late = database.webhooks_late
    says = _("Deliveries are late: a receiver may be down.") if late else _("Nothing is late.")
    figures = (
        (_("To be sent"), str(database.webhooks_pending)),
        (_("Late"), str(late)),
        (_("Failed within a day"), str(database.webhooks_failed)),
    )
    return Part(name=_("Webhooks"), state=WARN if late else GOOD, says=says, figures=figures)


def _disk(facts: MachineFacts) -> Part:
    used, free = facts.disk_percent, facts.disk_free_bytes
    if used is None or free is None:
        return Part(name=_("Disk"), state=WARN, says=_("Not known."))
    state = BAD if used >= DISK_BAD else WARN if used >= DISK_WARN else GOOD
    says = _("There is room.") if state == GOOD else _("Free some space.")
    figures = ((_("Used"), f"{used} %"), (_("Free"), size(free)))
    return Part(name=_("Disk of the state folder"), state=state, says=says, figures=figures)


def _ago(seconds: float | None) -> str:
    return NONE if seconds is None else _("%(time)s ago") % {"time": duration(seconds)}


PAGES: Final = (Page(method="GET", path="/admin/health", roles=OPERATORS, handler=show),)
