"""What the API reads and writes of logins and of the audit log."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ivr.web.api.models import Moment, Output, Text
from ivr.web.api.paging import PageQuery
from ivr.web.fields import Code, Day, Input
from ivr.web.logins.audit_pages import audit_filter
from ivr.web.queries.audit import AuditFilter
from ivr.web.scope import Right, Role
from ivr.web.users import LOGIN

LoginName = Annotated[
    str,
    Field(
        pattern=f"^{LOGIN.pattern}$",
        description="A name or an e-mail address, in lower case.",
        examples=["eve@example.com"],
    ),
]
Rights = Annotated[tuple[Right, ...], Field(max_length=len(Right))]


class LoginsQuery(PageQuery):
    """Which logins; `q` is part of a login, or begins the code of its company or account."""

    q: Text | None = None
    role: Literal["operator", "client", "reseller", "referrer", "caller"] | None = None
    state: Literal["active", "disabled"] | None = None


class NewLogin(Input):
    """A login to be made. What is not an operator's is always of its own company."""

    login: LoginName
    role: Role | None = Field(None, description="Your own, if not told.")
    subject: Code | None = Field(
        None, description="The client, party or account it is for; none for operators."
    )
    rights: Rights | None = Field(None, description="All of the role, if not told.")


class Login(Output):
    """Somebody who may log in."""

    login: str
    role: Role
    subject: str | None
    rights: tuple[Right, ...]
    state: Literal["active", "disabled"]
    must_change_password: bool
    second_factor: bool
    created_at: Moment
    last_seen_at: Moment | None


class Logins(Output):
    """A page of logins by name."""

    items: tuple[Login, ...]
    next: str | None


class MadeLogin(Output):
    """A login and its first password, which is told this once and must be changed at once."""

    login: str
    password: str


class LoginRights(Input):
    """All rights that a login shall have, and no others."""

    rights: Rights


class LoginState(Input):
    """Whether a login may come in; one that is disabled is logged out everywhere."""

    state: Literal["active", "disabled"]


class Session(Output):
    """A browser that is logged in. Its `id` opens nothing."""

    id: str
    began_at: Moment
    seen_at: Moment
    address: str
    agent: str


class Sessions(Output):
    """Sessions that are in force, the last active first."""

    items: tuple[Session, ...]


class EndedSessions(Output):
    """How many sessions were ended; none where they were over already."""

    login: str
    ended: int


class AuditExportQuery(Input):
    """Which changes; `what` is part of the action, `subject` begins what was changed."""

    who: Text | None = None
    what: Text | None = None
    subject: Text | None = None
    first: Day | None = Field(None, alias="from", description="The first day, UTC.")
    last: Day | None = Field(None, alias="to", description="The last day, UTC, included.")

    def wanted(self) -> AuditFilter:
        """Return the filter for the query."""
        return audit_filter(self.who, self.what, self.subject, self.first, self.last)


class AuditQuery(AuditExportQuery, PageQuery):
    """Which changes, page by page."""


class AuditEntry(Output):
    """A change: who made it, from where, and what was before and after."""

    id: int
    at: Moment
    who: str
    role: str | None
    company: str | None
    address: str | None
    action: str
    subject: str | None
    before: str | None
    after: str | None


class AuditLog(Output):
    """A page of changes, newest first."""

    items: tuple[AuditEntry, ...]
    next: str | None
