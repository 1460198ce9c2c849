"""Every form and every changing operation of operators and companies names a right."""

from __future__ import annotations

from ivr.web.api.table import OPERATIONS
from ivr.web.app import PAGES
from ivr.web.scope import Role

# Forms that are about the visitor's own login.
OWN = ("/settings", "/logout")


def test_every_form_and_every_changing_operation_names_a_right():
    bare = [
        f"{page.method} {page.path}"
        for page in PAGES
        if page.method != "GET"
        and page.roles - {Role.CALLER}
        and page.right is None
        and not page.path.startswith(OWN)
    ]
    bare += [
        f"{row.method} {row.path}"
        for row in OPERATIONS
        if row.method != "GET" and row.roles - {Role.CALLER} and row.right is None
    ]

    assert not bare
