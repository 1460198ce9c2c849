"""What forms share: a key that makes a second sending harmless, and mistakes in words."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Generic, TypeVar

from aiohttp import web
from pydantic import Field, ValidationError

from billing.errors import BillingError
from ivr.web.fields import PageInput
from ivr.web.guard import read_form
from ivr.web.problems import messages, problem_of

Form = TypeVar("Form", bound=PageInput)
Done = TypeVar("Done")

FormKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")]


def new_key() -> str:
    """Make the key of a new form: what is sent twice with it is done once."""
    return secrets.token_urlsafe(18)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent(Generic[Form]):
    """A form that was sent; `value` is None when `errors` names what is wrong."""

    value: Form | None
    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


async def read_sent(request: web.Request, model: type[Form]) -> Sent[Form]:
    """Read a form; empty fields count as absent."""
    typed = await read_form(request)
    sent = {name: text for name, text in typed.items() if text.strip()}
    shown = {name: text for name, text in typed.items() if name != "csrf"}
    try:
        return Sent(value=model.model_validate(sent), typed=shown)
    except ValidationError as error:
        return Sent(value=None, typed=shown, errors=messages(error))


async def attempt(work: Awaitable[Done]) -> tuple[Done | None, str]:
    """Do it; a refusal comes back as a sentence for the page, what is broken is raised."""
    try:
        return await work, ""
    except BillingError as error:
        problem = problem_of(error)
        if problem is None or problem.status >= 500:
            raise
        return None, problem.detail
