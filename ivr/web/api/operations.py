"""Operations on operations: alarms, limits, settings, health."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from ivr.alarms.store import Alarm, acknowledge, list_alarms
from ivr.calls.history import moment
from ivr.configuration import configured
from ivr.directory.fraud_limits import FraudLimits, changed, load_limits, save_limits
from ivr.web.admin.health import parts_of, worst_of
from ivr.web.admin.limits import write
from ivr.web.alarm_words import words
from ivr.web.api import live_models as models
from ivr.web.api import places
from ivr.web.api.gate import Answer, Ask, Operation
from ivr.web.problems import Refusal
from ivr.web.scope import OPERATORS, Right


async def show_alarms(ask: Ask) -> Answer:
    """List alarms."""
    assert isinstance(ask.query, models.AlarmsQuery)
    async with ask.web.reading() as connection:
        found = await list_alarms(
            connection,
            after=ask.query.place(int, str),
            limit=ask.query.reach,
            state=ask.query.state or "",
        )
    items, after = ask.query.cut(found, lambda one: (one.opened_us, one.id))
    return Answer(
        model=models.Alarms(
            items=tuple(_alarm(alarm) for alarm in items),
            next=after,
        )
    )


async def take_alarm(ask: Ask) -> Answer:
    """Acknowledge an alarm; the first one counts."""
    assert isinstance(ask.body, models.Acknowledgement)
    deps = ask.web.deps
    alarm = await acknowledge(
        deps.engine, ask.named("alarm"), who=ask.who.login, note=ask.body.note, clock=deps.clock
    )
    if alarm is None:
        raise Refusal("not_found", "There is no such alarm.")
    if alarm.acknowledged_by == ask.who.login:
        subject = f"{alarm.kind} {alarm.subject}"
        await ask.web.note(ask.who, "acknowledge alarm", subject, after=ask.body.note)
    return Answer(model=_alarm(alarm))


def _alarm(alarm: Alarm) -> models.Alarm:
    said = words(alarm)
    return models.Alarm(
        id=alarm.id,
        kind=alarm.kind,
        subject=alarm.subject,
        severity=alarm.severity,
        state=alarm.state,
        title=said.title,
        seen=said.seen,
        advice=said.advice,
        client=alarm.client or None,
        facts={name: str(value) for name, value in alarm.facts.items()},
        opened_at=moment(alarm.opened_us) or "",
        seen_at=moment(alarm.seen_us) or "",
        acknowledged_at=moment(alarm.acknowledged_us),
        acknowledged_by=alarm.acknowledged_by,
        note=alarm.note,
        over_at=moment(alarm.over_us),
    )


async def show_limits(ask: Ask) -> Answer:
    """Show the limits."""
    async with ask.web.reading() as connection:
        limits = await load_limits(connection)
    return Answer(model=models.Limits(**asdict(limits)))


async def set_limits(ask: Ask) -> Answer:
    """Set all limits."""
    assert ask.body is not None
    values: dict[str, Any] = ask.body.model_dump()  # Any: whole numbers, or none
    wanted = FraudLimits(**values)
    before = await save_limits(ask.web.deps.engine, wanted)
    for name, (old, new) in changed(before, wanted).items():
        await ask.web.note(
            ask.who, "set limit", name, before=write(name, old), after=write(name, new)
        )
    return Answer(model=models.Limits(**values))


async def show_health(ask: Ask) -> Answer:
    """Show how each part of the system is."""
    parts = await parts_of(ask.web)
    return Answer(
        model=models.Health(
            state=worst_of(parts),
            parts=tuple(
                models.HealthPart(
                    name=part.name, state=part.state, says=part.says, figures=dict(part.figures)
                )
                for part in parts
            ),
        )
    )


async def show_settings(ask: Ask) -> Answer:
    """Show the settings in force; they are changed where the service is started."""
    settings = ask.web.deps.settings
    groups = configured(settings) if settings is not None else {}
    return Answer(
        model=models.Settings(
            items=tuple(
                models.Setting(
                    group=group,
                    name=one.name,
                    value=one.value,
                    source=one.source,
                    meaning=one.meaning,
                )
                for group, found in groups.items()
                for one in found
            )
        )
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/alarms",
        name="listAlarms",
        summary="List alarms, newest first",
        roles=OPERATORS,
        handler=show_alarms,
        query=models.AlarmsQuery,
        answer=models.Alarms,
    ),
    Operation(
        method="POST",
        path=f"/alarms/{places.ALARM}/acknowledge",
        name="acknowledgeAlarm",
        summary="Tell that somebody looks after an alarm; the first one counts",
        roles=OPERATORS,
        handler=take_alarm,
        body=models.Acknowledgement,
        answer=models.Alarm,
        right=Right.CALLS,
        problems=("not_found",),
    ),
    Operation(
        method="GET",
        path="/limits",
        name="showLimits",
        summary="Show the limits against fraud",
        roles=OPERATORS,
        handler=show_limits,
        answer=models.Limits,
    ),
    Operation(
        method="PUT",
        path="/limits",
        name="setLimits",
        summary="Set all limits against fraud; the next call obeys",
        roles=OPERATORS,
        handler=set_limits,
        body=models.Limits,
        answer=models.Limits,
        right=Right.USERS,
        problems=("invalid_input",),
    ),
    Operation(
        method="GET",
        path="/settings",
        name="showSettings",
        summary="Show the settings in force and where they come from",
        description="They are changed where the service is started; secrets are never shown.",
        roles=OPERATORS,
        handler=show_settings,
        answer=models.Settings,
        right=Right.USERS,
    ),
    Operation(
        method="GET",
        path="/health",
        name="showHealth",
        summary="Show how each part of the system is",
        roles=OPERATORS,
        handler=show_health,
        answer=models.Health,
    ),
)
