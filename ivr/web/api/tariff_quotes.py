"""Operations on what talks cost: versions of a tariff, a quote, and a change before it is saved."""

from __future__ import annotations

from typing import Final

from billing.domain.rating import Charge, RateTable
from billing.domain.sessions import parts_of
from billing.domain.tariffs import Tariff
from billing.money import format_amount
from ivr.calls.history import moment
from ivr.directory.catalog_export import tariff_document
from ivr.directory.edit_tariffs import drop_planned
from ivr.directory.edits import Change, written
from ivr.web.api import line_models, models, places, tariff_models
from ivr.web.api.calls import charge_lines
from ivr.web.api.gate import Answer, Ask, Operation
from ivr.web.api.lines import BOTH, REFUSALS, change, directory, edited, editor
from ivr.web.api.prices import draft, find_tariff, show_tariff
from ivr.web.explain import lines_of
from ivr.web.lines.tariff_editor import EXAMPLES, uses_of
from ivr.web.problems import Refusal
from ivr.web.queries.tariffs import Version, versions_of
from ivr.web.scope import OPERATORS, NotYours, Right


async def list_all(ask: Ask) -> Answer:
    """List the versions of a tariff."""
    assert isinstance(ask.query, tariff_models.VersionsQuery)
    name = (await find_tariff(ask)).name
    async with ask.web.reading() as connection:
        found = await versions_of(
            connection, name, before=ask.query.place(int), limit=ask.query.reach
        )
    items, after = ask.query.cut(found, lambda one: one.version)
    return Answer(
        model=tariff_models.TariffVersions(
            items=tuple(
                tariff_models.TariffVersion(
                    number=one.version,
                    in_force_from=moment(one.in_force_us) or "",
                    currency=one.tariff.currency,
                    notation=tariff_document(one.tariff),
                )
                for one in items
            ),
            next=after,
        )
    )


async def quote(ask: Ask) -> Answer:
    """Say what a talk would cost, line by line, and who would get what."""
    assert isinstance(ask.query, tariff_models.TalkQuery)
    query = ask.query
    version = await _version(ask, query.number)
    charge = RateTable.compile(version.tariff).charge(query.seconds)
    return Answer(
        model=tariff_models.TalkQuote(
            tariff=version.name,
            number=version.version,
            currency=charge.currency,
            seconds=query.seconds,
            billed_seconds=charge.billed_seconds,
            cost=format_amount(charge.cost),
            lines=charge_lines(lines_of(charge, version.tariff)),
            split=await _split(ask, query.client, charge),
        )
    )


async def _version(ask: Ask, number: int | None) -> Version:
    known = await find_tariff(ask)
    wanted = known.version if number is None else number
    async with ask.web.reading() as connection:
        found = await versions_of(connection, known.name, before=wanted + 1, limit=1)
    if not found or found[0].version != wanted:
        raise Refusal("not_found", "There is no such version.")
    return found[0]


async def _split(ask: Ask, code: str | None, charge: Charge) -> tuple[models.Share, ...] | None:
    """Divide a cost by a client's agreement; its fixed fees are in its own currency only."""
    if code is None and ask.who.role in OPERATORS:
        return None
    mine = ask.who.scope.client(code)
    client = (await directory(ask)).clients.get(mine or "")
    if client is None or code not in {None, mine}:
        raise NotYours
    if client.currency != charge.currency:
        return None
    return tuple(
        models.Share(party=part.kind, account=part.account, amount=format_amount(part.amount))
        for part in parts_of(charge, client.shares_at(ask.web.now_us()))
    )


async def preview(ask: Ask) -> Answer:
    """Check prices without saving them, beside what is in force."""
    assert isinstance(ask.body, tariff_models.TariffDraft)
    lines, name = await directory(ask), ask.named("tariff")
    known = lines.tariffs.get(name)
    read: list[Tariff] = []

    async def checked() -> Change:
        assert isinstance(ask.body, tariff_models.TariffDraft)
        read.append(await draft(ask, name, known, ask.body.notation, ask.body.currency))
        before = written(tariff_document(known.tariff)) if known else ""
        return Change(before=before, after=written(tariff_document(read[0])))

    removed, added = (await edited(checked())).lines()
    old = RateTable.compile(known.tariff) if known else None
    new = RateTable.compile(read[0])
    return Answer(
        model=tariff_models.TariffPreview(
            tariff=name,
            currency=read[0].currency,
            removed=removed,
            added=added,
            examples=tuple(
                tariff_models.TalkExample(
                    minutes=minutes,
                    before=format_amount(old.charge(minutes * 60).cost) if old else None,
                    after=format_amount(new.charge(minutes * 60).cost),
                )
                for minutes in EXAMPLES
            ),
            used_by=tuple(sorted({number for number, _, _ in uses_of(lines, name)})),
        )
    )


async def drop(ask: Ask) -> Answer:
    """Forget the version that is planned."""
    assert isinstance(ask.body, line_models.Retirement)
    name = (await find_tariff(ask)).name
    work = drop_planned(editor(ask), name, expected=ask.body.version)
    await change(ask, work, action="drop planned tariff", subject=f"tariff {name}")
    return await show_tariff(ask)


OPERATIONS: Final = (
    Operation(
        method="GET", path=f"/tariffs/{places.TARIFF}/versions", name="listTariffVersions",
        summary="List the versions of a tariff, newest first", roles=BOTH, handler=list_all,
        query=tariff_models.VersionsQuery, answer=tariff_models.TariffVersions,
        problems=("not_found",),
    ),
    Operation(
        method="GET", path=f"/tariffs/{places.TARIFF}/quote", name="quoteTalk",
        summary="Say what a talk would cost, and who would get what", roles=BOTH, handler=quote,
        query=tariff_models.TalkQuery, answer=tariff_models.TalkQuote, problems=("not_found",),
    ),
    Operation(
        method="POST", path=f"/tariffs/{places.TARIFF}/preview", name="previewTariff",
        summary="Check prices without saving them, beside those in force", roles=BOTH,
        handler=preview, body=tariff_models.TariffDraft, answer=tariff_models.TariffPreview,
        right=Right.LINES, problems=REFUSALS,
    ),
    Operation(
        method="POST", path=f"/tariffs/{places.TARIFF}/drop", name="dropPlannedTariff",
        summary="Forget the planned version of a tariff", roles=BOTH, handler=drop,
        body=line_models.Retirement, answer=line_models.TariffView, right=Right.LINES,
        problems=REFUSALS, versioned=show_tariff,
        description="Refused while a line stays with it as `name@number`.",
    ),
)  # fmt: skip
