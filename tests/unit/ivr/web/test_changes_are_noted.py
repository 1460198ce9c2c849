"""Every form and every changing operation leads to a line in the audit log, or says why not.

Read from the code: from each handler to whatever it calls, until somebody notes or audits.
"""

from __future__ import annotations

import types
from collections.abc import Iterator

from ivr.web.api.places import CLIENT_CODE
from ivr.web.api.table import OPERATIONS
from ivr.web.app import PAGES

DEEP_MAX = 8
# What changes nothing that others should know of, or is written down elsewhere.
NOT_NOTED = {
    "/logout": "ends the visitor's own session",
    "/usage": "metering events are rows of their own, with their source",
    f"/clients/{CLIENT_CODE}/preview": "nothing is changed by looking",
    "/settings/factor/begin": "nothing is in force before the first code",
    **dict.fromkeys(
        (
            "/admin/import/accounts",
            "/admin/import/topups",
            "/admin/import/catalog",
            "/imports/accounts",
            "/imports/topups",
            "/imports/catalog",
        ),
        "a file is looked at; applying it is noted",
    ),
}


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _notes(function: object, seen: set[object], deep: int = 0) -> bool:
    function = getattr(function, "__wrapped__", function)
    if not isinstance(function, types.FunctionType) or function in seen or deep > DEEP_MAX:
        return False
    seen.add(function)
    names = {name for code in _codes(function.__code__) for name in code.co_names}
    if names & {"note", "audit_log"}:
        return True
    found = [function.__globals__[name] for name in names if name in function.__globals__]
    found += [cell.cell_contents for cell in function.__closure__ or ()]
    for module in [each for each in found if isinstance(each, types.ModuleType)]:
        if module.__name__.startswith(("ivr.", "billing.")):
            found += [getattr(module, name) for name in names if hasattr(module, name)]
    return any(
        _notes(each, seen, deep + 1)
        for each in found
        if getattr(each, "__module__", "").startswith(("ivr.", "billing."))
    )


def test_every_change_is_written_down():
    silent = [
        f"{page.method} {page.path}"
        for page in PAGES
        if page.method != "GET" and page.path not in NOT_NOTED and not _notes(page.handler, set())
    ]
    silent += [
        f"{row.method} {row.path}"
        for row in OPERATIONS
        if row.method != "GET" and row.path not in NOT_NOTED and not _notes(row.handler, set())
    ]

    assert not silent
