"""Operations on imports: a file is looked at row by row, then applied as it was shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from ivr.bulk import topups
from ivr.bulk.account_sheet import COLUMNS
from ivr.bulk.fates import Fate, counted
from ivr.bulk.sheet import BYTES_MAX, ROWS_MAX, SheetRefused
from ivr.bulk.uploads import Upload
from ivr.calls.history import moment
from ivr.web.admin.import_desk import (
    RIGHTS,
    begin,
    find_upload,
    is_blocked,
    look_at,
    refused_sheet,
    rows_of,
)
from ivr.web.api.gate import Answer, Ask, FileAnswer, Operation, OperationHandler
from ivr.web.api.models import Moment, Output
from ivr.web.api.paging import PageQuery
from ivr.web.api.places import IMPORT
from ivr.web.fields import Input
from ivr.web.problems import Refusal, wrong_fields
from ivr.web.scope import OPERATORS, NotYours

# What JSON makes of a file may be twice as long.
JSON_BYTES_MAX: Final = 2 * BYTES_MAX
WHATS: TypeAlias = Literal["new", "changed", "unchanged", "refused"]
OF: Final = {
    "accounts": f"CSV with the columns {', '.join(COLUMNS)}; an empty cell leaves what is there.",
    "topups": f"CSV with the columns {', '.join(topups.COLUMNS)}; a reference credits once.",
    "catalog": "The catalog as YAML; it is applied whole or not at all.",
}


class NewImport(Input):
    """A file to be looked at: its text, of at most 4 MB and 10,000 rows."""

    content: Annotated[str, Field(min_length=1, examples=["account,mode\ncarol,prepaid\n"])]


class RowsQuery(PageQuery):
    """Which rows."""

    what: WHATS | None = None


class Counts(Output):
    """How many rows have which fate."""

    new: int
    changed: int
    unchanged: int
    refused: int


class Import(Output):
    """A file and how far its import is; it is kept for an hour, for the token that sent it."""

    id: str
    kind: Literal["accounts", "topups", "catalog"]
    state: Literal["looked", "running", "done", "failed"]
    stalled: bool = Field(description="Its run died on the way: run it again, it goes on there.")
    blocked: bool = Field(description="A catalog with a mistake: nothing of it can be run.")
    counts: Counts = Field(description="What would become of the rows; when done: what became.")
    acting: int = Field(description="How many rows there are to be run.")
    position: int = Field(description="How many of them are done.")
    expires_at: Moment


class FieldChange(Output):
    """A field: what it is, and what it becomes. Secrets are named, never shown."""

    field: str
    before: str
    after: str


class ImportRow(Output):
    """What becomes of a row, which begins on `line` of its file."""

    line: int
    subject: str
    what: WHATS
    changes: tuple[FieldChange, ...]
    column: str
    reason: str


class ImportRows(Output):
    """A page of rows, in the order of the file."""

    items: tuple[ImportRow, ...]
    next: str | None


def _look(kind: str) -> OperationHandler:
    async def look(ask: Ask) -> Answer:
        """Look at a file; nothing is changed."""
        assert isinstance(ask.body, NewImport)
        try:
            name = await look_at(ask.web, ask.who, kind, ask.body.content.encode())
        except SheetRefused as refused:
            raise wrong_fields({"content": str(refused)}) from None
        return Answer(
            model=_import(ask, await _find(ask, name)),
            headers=(("Location", f"/api/v1/imports/{name}"),),
        )

    return look


def _run(kind: str) -> OperationHandler:
    async def run(ask: Ask) -> Answer:
        """Apply what was shown; asked for twice it runs once."""
        upload = await _find(ask, ask.named("import_id"))
        if upload.kind != kind:
            raise NotYours
        if is_blocked(upload):
            raise Refusal("edit_refused", "Correct the rows that are refused, and send it again.")
        await begin(ask.request, ask.who, upload)
        return await show(ask)

    return run


async def show(ask: Ask) -> Answer:
    """Show how far an import is."""
    return Answer(model=_import(ask, await _find(ask, ask.named("import_id"))))


async def list_rows(ask: Ask) -> Answer:
    """List what becomes of the rows."""
    assert isinstance(ask.query, RowsQuery)
    query = ask.query
    rows = rows_of(await _find(ask, ask.named("import_id")))
    begins = query.place(int)
    found = [
        (number, fate)
        for number, fate in enumerate(rows)
        if (begins is None or number > begins) and query.what in {None, fate.what}
    ]
    items, after = query.cut(found, lambda each: each[0])
    return Answer(model=ImportRows(items=tuple(_row(fate) for _, fate in items), next=after))


async def refused_file(ask: Ask) -> FileAnswer:
    """Answer the rows that were refused, as they were sent."""
    upload = await _find(ask, ask.named("import_id"))
    body = await refused_sheet(ask.web, upload)
    if body is None:
        raise NotYours
    return FileAnswer(body=body, media="text/csv", name=f"refused-{upload.kind}.csv")


async def _find(ask: Ask, name: str) -> Upload:
    upload = await find_upload(ask.web, ask.who, name)
    if upload is None:
        raise NotYours
    return upload


def _import(ask: Ask, upload: Upload) -> Import:
    return Import.model_validate(
        {
            "id": upload.id,
            "kind": upload.kind,
            "state": upload.state,
            "stalled": upload.stalled(ask.web.now_us()),
            "blocked": is_blocked(upload),
            "counts": counted(rows_of(upload)),
            "acting": 0 if is_blocked(upload) else len(upload.acting),
            "position": upload.position,
            "expires_at": moment(upload.expires_us) or "",
        }
    )


def _row(fate: Fate) -> ImportRow:
    return ImportRow(
        line=fate.line,
        subject=fate.subject,
        what=fate.what,
        changes=tuple(
            FieldChange(field=each.field, before=each.before, after=each.after)
            for each in fate.changes
        ),
        column=fate.column,
        reason=fate.reason,
    )


def _of_kind(kind: str) -> Sequence[Operation]:
    name, right = {"topups": "TopUps"}.get(kind, kind.capitalize()), RIGHTS[kind]
    return (
        Operation(
            method="POST", path=f"/imports/{kind}", name=f"check{name}",
            summary=f"Look at a file of {kind}: what would become of each row",
            description=f"Nothing is changed. {OF[kind]} At most {ROWS_MAX:,} rows.",
            roles=OPERATORS, right=right, handler=_look(kind), body=NewImport, answer=Import,
            statuses=(201,), located="showImport", bytes_max=JSON_BYTES_MAX,
            problems=("invalid_input",),
        ),
        Operation(
            method="POST", path=f"/imports/{kind}/{IMPORT}/run", name=f"import{name}",
            summary="Apply what was shown; asked for twice it runs once",
            description="A row is applied only if its fate is still the one that was shown.",
            roles=OPERATORS, right=right, handler=_run(kind), answer=Import, statuses=(202,),
            problems=("not_found", "edit_refused"),
        ),
    )  # fmt: skip


OPERATIONS: Final = (
    *(row for kind in RIGHTS for row in _of_kind(kind)),
    Operation(
        method="GET", path=f"/imports/{IMPORT}", name="showImport",
        summary="Show how far an import is", roles=OPERATORS, handler=show, answer=Import,
    ),
    Operation(
        method="GET", path=f"/imports/{IMPORT}/rows", name="listImportRows",
        summary="List what becomes of each row", roles=OPERATORS, handler=list_rows,
        query=RowsQuery, answer=ImportRows,
    ),
    Operation(
        method="GET", path=f"/imports/{IMPORT}/refused", name="downloadRefused",
        summary="Download the rows that were refused as CSV, each with its reason",
        roles=OPERATORS, handler=refused_file, answer=None, media="text/csv",
    ),
)  # fmt: skip
