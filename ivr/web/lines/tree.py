"""A picture of a line's menu: the line, its greeting, the digits, topics, and where they lead.

number -> greeting -> 1 Billing, 0.50/min, open -> queue helpdesk: anna, john -> else voicemail
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from billing.domain.notation import format_price
from billing.domain.periods import tiers_at
from billing.domain.tariffs import Tariff
from billing.errors import UnknownTariff
from ivr.directory.model import GREETING, Did, Directory, Topic
from ivr.web.language import gettext as _
from ivr.web.lines.week import until
from ivr.web.words import plain_money

ROW: Final = 78
BOX: Final = 58
TOP: Final = 8
LINE_X: Final = 4
GREETING_X: Final = 172
TOPIC_X: Final = 356
GOAL_X: Final = 606
WIDTH: Final = 868
WIDTHS: Final = {LINE_X: 142, GREETING_X: 142, TOPIC_X: 214, GOAL_X: 256}
LETTER: Final = 6.6
AGENTS_SHOWN: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One box with a title and lines below it; `state` is its CSS class."""

    x: float
    y: float
    width: float
    title: str
    lines: tuple[str, ...]
    whole: str
    state: str
    link: str = ""
    digit: str = ""
    height: float = BOX


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Boxes and the curves between them."""

    boxes: tuple[Box, ...]
    curves: tuple[tuple[str, str], ...]
    summary: str
    height: float
    width: int = WIDTH


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicView:
    """A topic as people read it, in the order in which callers hear it."""

    topic: Topic
    price: str
    state: str
    when: str
    goal: str
    goal_more: str
    goal_known: bool


def heard_order(did: Did) -> list[Topic]:
    """Sort topics as callers hear them: the operator is last."""
    return sorted(did.topics, key=lambda topic: topic.digit or 10)


def views_of(did: Did, lines: Directory, now: datetime) -> list[TopicView]:
    """Describe the topics of a line."""
    local = now.astimezone(ZoneInfo(did.timezone))
    return [_view(topic, did, lines, now, local) for topic in heard_order(did)]


def _view(topic: Topic, did: Did, lines: Directory, now: datetime, local: datetime) -> TopicView:
    if not topic.rules.enabled:
        state, when = "off", _("switched off")
    else:
        is_open = topic.rules.opening.is_open(local)
        state, when = (
            ("open" if is_open else "closed"),
            until(topic.rules.opening, now, did.timezone),
        )
    goal, more, known = goal_of(topic, lines)
    return TopicView(
        topic=topic,
        price=price_of(topic.tariff or did.tariff, lines, local),
        state=state,
        when=when,
        goal=goal,
        goal_more=more,
        goal_known=known,
    )


def price_of(name: str, lines: Directory, local: datetime) -> str:
    """Write what a talk costs that begins now: `0.50/min, then 0.25/min, 5.00 first`."""
    try:
        tariff = lines.tariff(name).tariff
    except UnknownTariff:
        return _("no such price list")
    return brief(tariff, local)


def brief(tariff: Tariff, local: datetime | None = None) -> str:
    """Write a price list in a line."""
    tiers = tiers_at(tariff, local) if local else tariff.tiers
    parts = [format_price(tier.price, tier.per_seconds) for tier in tiers[:2]]
    text = _(", then ").join(parts)
    if tariff.setup_fee:
        text = f"{plain_money(tariff.setup_fee)} + {text}"
    return f"{text} {tariff.currency}"


def goal_of(topic: Topic, lines: Directory) -> tuple[str, str, bool]:
    """Say where a topic leads, and whether that is known here."""
    goal = topic.destination
    match goal.kind:
        case "queue":
            queue = lines.queues.get(goal.target)
            if queue is None:
                return _("Queue %(name)s") % {"name": goal.target}, _("is not here"), False
            names = [agent.code for agent in queue.agents]
            here = [name for name in names if (queue.client, name) not in lines.away]
            shown = ", ".join(names[:AGENTS_SHOWN]) + (" …" if len(names) > AGENTS_SHOWN else "")
            words = _("%(here)s of %(all)s here: %(names)s") % {
                "here": len(here), "all": len(names), "names": shown or _("nobody"),
            }  # fmt: skip
            return _("Queue %(name)s") % {"name": goal.target}, words, bool(here)
        case "phone":
            return _("Phone %(number)s") % {"number": goal.target}, "", True
        case "voicemail":
            return _("Voicemail"), goal.target, True
        case "demo":
            return _("Demo agent"), _("answers and talks"), True
        case _:
            return _("SIP phone"), goal.target, True


def picture(did: Did, lines: Directory, now: datetime, *, home: str) -> Tree:
    """Draw the menu."""
    views = views_of(did, lines, now)
    height = TOP * 2 + ROW * max(1, len(views))
    middle = TOP + (ROW * max(1, len(views)) - BOX) / 2
    boxes = list(_head(did, lines, now, middle, home))
    curves = [(_curve(LINE_X, middle, GREETING_X, middle), "")]
    for number, view in enumerate(views):
        y = TOP + ROW * number + (ROW - BOX) / 2
        boxes.append(_topic_box(view, y, f"{home}/{did.number}/topics/{view.topic.digit}"))
        boxes.append(_goal_box(view, y))
        curves.append((_curve(GREETING_X, middle, TOPIC_X, y), view.state))
        curves.append((_curve(TOPIC_X, y, GOAL_X, y), view.state))
    return Tree(
        boxes=tuple(boxes),
        curves=tuple(curves),
        summary=". ".join(
            f"{view.topic.digit}: {view.topic.name}, {view.price}, {view.when}, {view.goal}"
            for view in views
        )
        or _("There is no topic yet."),
        height=height,
    )


def _head(did: Did, lines: Directory, now: datetime, middle: float, home: str) -> Iterator[Box]:
    state = "open" if did.is_open(now) else "closed"
    own = lines.prompt_uses.get((did.number, GREETING))
    yield _box(LINE_X, middle, did.number, (until(did.rules.opening, now, did.timezone),), state)
    yield _box(
        GREETING_X,
        middle,
        _("Greeting"),
        (own or _("ours"), ", ".join(did.rules.languages) or "en"),
        state,
        link=f"{home}/{did.number}#hear",
    )


def _topic_box(view: TopicView, y: float, link: str) -> Box:
    hidden = _("hidden, ") if view.topic.rules.hidden else ""
    return _box(
        TOPIC_X,
        y,
        view.topic.name,
        (view.price, f"{hidden}{view.when}"),
        view.state,
        link=link,
        digit=str(view.topic.digit),
    )


def _goal_box(view: TopicView, y: float) -> Box:
    otherwise = {
        "voicemail": _("otherwise: a message"),
        "callback": _("otherwise: called back"),
    }.get(view.topic.rules.otherwise, "")
    lines = tuple(line for line in (view.goal_more, otherwise) if line)
    return _box(GOAL_X, y, view.goal, lines, view.state if view.goal_known else "unknown")


def _box(
    x: float,
    y: float,
    title: str,
    lines: tuple[str, ...],
    state: str,
    *,
    link: str = "",
    digit: str = "",
) -> Box:
    width = WIDTHS[int(x)]
    room = int((width - (44 if digit else 18)) / LETTER)
    return Box(
        x=x,
        y=y,
        width=width,
        title=_cut(title, room - 2),
        lines=tuple(_cut(line, room) for line in lines),
        whole=", ".join((title, *lines)),
        state=state,
        link=link,
        digit=digit,
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _curve(x1: int, y1: float, x2: int, y2: float) -> str:
    start, end = x1 + WIDTHS[x1], x2
    half = (start + end) / 2
    first, last = y1 + BOX / 2, y2 + BOX / 2
    return f"M{start},{first} C{half},{first} {half},{last} {end},{last}"
