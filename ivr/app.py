"""The composition root: builds every object once and wires them; nothing else does.

    settings -> database -> writer -> use-cases -> AMI -> meter, recovery -> AGI -> web

What was opened is closed in reverse by one exit stack. Long tasks run under `supervision.Jobs`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from billing.clock import Clock, SystemClock
from billing.ids import new_id
from ivr import secrets
from ivr.agi.server import AgiServer
from ivr.ami.board import QueueBoard
from ivr.ami.cel import CelFile
from ivr.ami.link import AmiLink
from ivr.ami.queues import QUEUES_FILE, QueueKeeper
from ivr.ami.switch import AmiSwitch
from ivr.books import Books, open_books, pin_key, voucher_key
from ivr.calls.call import Call
from ivr.calls.callbacks import Callbacks
from ivr.calls.closing import Closing
from ivr.calls.consultations import Consultations
from ivr.calls.control import Control
from ivr.calls.draining import drain
from ivr.calls.listening import Listenings
from ivr.calls.mailbox import Mailbox
from ivr.calls.meter import Meter
from ivr.calls.notices import Notice
from ivr.calls.recovery import Recovery
from ivr.calls.registry import Registry
from ivr.calls.stalls import StallWatch
from ivr.calls.store import CallStore
from ivr.calls.tally import Tally
from ivr.directory.fees import charge_for_ever
from ivr.directory.own_prompts import PromptFiles
from ivr.directory.people import People
from ivr.directory.plan_cycles import renew_for_ever
from ivr.flows import speech
from ivr.flows.callback import call_back
from ivr.flows.consult import consult, consulted, wish
from ivr.flows.desk import Desk
from ivr.flows.farewell import farewell
from ivr.flows.support import support_line
from ivr.issuer import issuer_of
from ivr.machine import Machine, Parts
from ivr.payments.opening import card_jobs
from ivr.sandbox.heard import Heard, HeardLeg
from ivr.settings import Settings
from ivr.supervision import Job, Jobs
from ivr.switching import ami_link, cel_file
from ivr.telephony import CallLeg
from ivr.watched import Watched
from ivr.web.app import WebDeps, serving
from ivr.web.tokens import make_cli_token
from ivr.web.webhooks.sender import Sender

# What the dialplan asks for; anything else is a caller.
FLOWS: Final = {
    "farewell": farewell,
    "callback": call_back,
    "consult": consult,
    "consulted": consulted,
    "wish": wish,
}

__all__ = ["Books", "Lines", "Service", "drain", "pin_key", "running", "voucher_key"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The side that knows calls: the link to the switch and everything that follows it."""

    link: AmiLink
    registry: Registry
    desk: Desk
    meter: Meter
    listenings: Listenings
    jobs: dict[str, Job]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A running service: what the command line, the web and the tests may reach."""

    settings: Settings
    books: Books
    lines: Lines
    jobs: Jobs


@asynccontextmanager
async def running(
    settings: Settings, *, clock: Clock | None = None, heard: Heard | None = None
) -> AsyncIterator[Service]:
    """Build and start everything; on leaving, drain and close everything in reverse.

    The AMI account must be known (the private Asterisk's is filled in by its caller).

    Raises:
        SettingsError: something needed is missing.
        OSError: a port is taken, or the database cannot be reached.

    """
    clock = clock or SystemClock()
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        books = await open_books(stack, settings, clock)
        lines = _lines(books, settings, clock, heard)
        await lines.desk.tally.read(books.engine)
        watched = _watched(books, lines, settings, clock)
        agi = AgiServer(
            settings.agi_host,
            settings.agi_port,
            on_call=_router(lines.desk, heard),
            node=settings.node,
            peers=frozenset(settings.agi_peers),
            gateway=settings.outbound_gateway,
            shared=str(settings.shared_dir.resolve()) if settings.shared_dir else "",
        )
        await stack.enter_async_context(agi)
        jobs = Jobs(
            lines.jobs
            | {
                "ledger": books.writer.watch,
                "directory": books.directory.run,
                "journal": books.charging.replay_journal,
                "alarms": watched.watch.run,
                "subscriptions": lambda: renew_for_ever(books.engine, clock),
                "webhooks": Sender(
                    books.engine, clock, allow_private=settings.webhooks_allow_private
                ).run,
                "fees": lambda: charge_for_ever(books.writer, books.directory.current, clock),
            }
            | card_jobs(books.cards)
        )
        watched.jobs = jobs
        await stack.enter_async_context(jobs)
        deps = _web_deps(books, lines, watched.machine, settings, clock)
        web = serving(deps, host=settings.web_host, port=settings.web_port)
        await stack.enter_async_context(web)
        yield Service(settings=settings, books=books, lines=lines, jobs=jobs)
        await drain(lines.registry, settings.drain_seconds)


def _lines(books: Books, settings: Settings, clock: Clock, heard: Heard | None) -> Lines:
    link = ami_link(settings, clock)
    switch = AmiSwitch(link)
    registry = Registry(switch, calls_max=settings.calls_max)
    stalls = StallWatch(clock)
    records = CelFile(cel_file(settings))
    charging = books.charging
    store = CallStore(writer=books.writer, engine=books.engine)
    closing = Closing(charging=charging, registry=registry, records=records, stalls=stalls)
    prompts = _prompts(books, settings)
    desk = _desk(books, registry, switch, closing, store, prompts, settings, clock)
    recovery = Recovery(
        charging=charging,
        closing=closing,
        registry=registry,
        store=store,
        switch=switch,
        records=records,
        clock=clock,
        node=settings.node,
        directory=books.directory.current,
    )
    meter = _meter(books, registry, switch, settings, clock, heard)
    listenings = _listenings(books, registry, switch, settings, clock)
    jobs: dict[str, Job] = {
        "ami": link.run,
        "stalls": stalls.run,
        "meter": meter.run,
        "recovery": recovery.run,
        "callbacks": desk.callbacks.run,
        "listenings": listenings.run,
    }
    if settings.shared_dir is not None:
        jobs["queues"] = QueueKeeper(
            link, switch, books.directory.current, settings.shared_dir / QUEUES_FILE
        ).run
    if desk.mailbox is not None:
        jobs["mailbox"] = desk.mailbox.run
    if prompts is not None:
        jobs["prompts"] = prompts.run
    return Lines(
        link=link, registry=registry, desk=desk, meter=meter, listenings=listenings, jobs=jobs
    )


def _desk(
    books: Books,
    registry: Registry,
    switch: AmiSwitch,
    closing: Closing,
    store: CallStore,
    prompts: PromptFiles | None,
    settings: Settings,
    clock: Clock,
) -> Desk:
    return Desk(
        directory=books.directory.current,
        people=_people(books, settings, clock),
        callbacks=_callbacks(books, registry, switch, settings, clock),
        consultations=Consultations(),
        mailbox=_mailbox(books, settings, clock),
        has_sound=prompts.has if prompts else lambda *_: False,
        charging=books.charging,
        closing=closing,
        registry=registry,
        store=store,
        tally=Tally(clock),
        clock=clock,
        new_id=lambda: new_id(clock),
        boot=lambda: switch.boot,
        slice_seconds=settings.slice_seconds,
        ring_seconds=settings.ring_seconds,
        account_calls_max=settings.account_calls_max,
        has_queues=settings.shared_dir is not None,
        countries=frozenset(settings.outbound_countries if settings.outbound_gateway else ()),
    )


def _listenings(
    books: Books, registry: Registry, switch: AmiSwitch, settings: Settings, clock: Clock
) -> Listenings:
    return Listenings(
        registry=registry,
        switch=switch,
        writer=books.writer,
        clock=clock,
        directory=books.directory.current,
        phones=dict(own.split("=", 1) for own in settings.listen_phones),
        new_id=lambda: new_id(clock),
    )


def _callbacks(
    books: Books, registry: Registry, switch: AmiSwitch, settings: Settings, clock: Clock
) -> Callbacks:
    return Callbacks(
        books.engine,
        clock,
        switch=switch,
        registry=registry,
        directory=books.directory.current,
        node=settings.node,
        ring_seconds=settings.ring_seconds,
    )


def _meter(
    books: Books,
    registry: Registry,
    switch: AmiSwitch,
    settings: Settings,
    clock: Clock,
    heard: Heard | None,
) -> Meter:
    return Meter(
        registry=registry,
        charging=books.charging,
        switch=switch,
        clock=clock,
        slice_seconds=settings.slice_seconds,
        renew_seconds=settings.renew_seconds,
        words=_notice_words(heard),
    )


def _people(books: Books, settings: Settings, clock: Clock) -> People:
    return People(
        books.engine,
        clock,
        directory=books.directory.current,
        pin_key=pin_key(settings),
        voucher_key=voucher_key(settings),
    )


def _mailbox(books: Books, settings: Settings, clock: Clock) -> Mailbox | None:
    if settings.shared_dir is None:
        return None
    mailbox = Mailbox(books.engine, settings.shared_dir.resolve() / "recordings", clock)
    mailbox.open()
    return mailbox


def _prompts(books: Books, settings: Settings) -> PromptFiles | None:
    if settings.shared_dir is None:
        return None
    return PromptFiles(books.engine, settings.shared_dir.resolve(), books.directory.current)


def _notice_words(heard: Heard | None) -> Callable[[Call, Notice], tuple[str, ...]]:
    def words(call: Call, notice: Notice) -> tuple[str, ...]:
        currency = call.terms.currency if call.terms else ""
        said = speech.notice(notice.left_seconds, notice.tier, currency, call.language)
        if heard:
            heard("is whispered", said)
        return said

    return words


def _watched(books: Books, lines: Lines, settings: Settings, clock: Clock) -> Watched:
    registry = lines.registry
    return Watched(
        books.engine,
        clock,
        directory=books.directory,
        parts=Parts(
            node=settings.node,
            clock=clock,
            state_dir=settings.state_dir,
            switching=lines.link,
            ledger=books.writer,
            live_calls=lambda: len(registry),
            accepting=lambda: not registry.closed,
            outages=lambda: registry.outages,
            late_slices=lambda: lines.meter.late,
        ),
    )


def _web_deps(
    books: Books, lines: Lines, machine: Machine, settings: Settings, clock: Clock
) -> WebDeps:
    registry = lines.registry
    return WebDeps(
        engine=books.engine,
        writer=books.writer,
        wallet=books.wallet,
        directory=books.directory.current,
        live=registry,
        control=Control(registry=registry, wallet=books.wallet),
        machine=machine,
        queues=QueueBoard(lines.link),
        listening=lines.listenings,
        clock=clock,
        pin_key=pin_key(settings),
        voucher_key=voucher_key(settings),
        web_key=bytes.fromhex(secrets.read_or_make(settings.state_dir / "web.key")),
        cli_token=make_cli_token(settings.state_dir),
        mailbox=lines.desk.mailbox,
        signup=settings.signup,
        cards=books.cards,
        webhooks_plain=settings.webhooks_allow_private,
        issuer=issuer_of(settings),
        proxies=frozenset(settings.web_proxies),
        settings=settings,
        require_second_factor=frozenset(settings.require_second_factor),
        ready=lambda: {
            "asterisk": registry.link_up.is_set(),
            "accepting calls": not registry.closed,
        },
    )


def _router(desk: Desk, heard: Heard | None) -> Callable[[CallLeg, str], Awaitable[None]]:
    async def route(leg: CallLeg, path: str) -> None:
        if heard:
            leg = HeardLeg(leg, heard)
        await FLOWS.get(path, support_line)(leg, desk)

    return route
