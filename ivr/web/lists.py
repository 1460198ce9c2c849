"""What list pages share: filters whose mistakes stand at their field, and links between pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import urlencode

from aiohttp import web
from pydantic import ValidationError

from ivr.web.fields import PageInput
from ivr.web.guard import read_query
from ivr.web.problems import messages

Filter = TypeVar("Filter", bound=PageInput)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled(Generic[Filter]):
    """A filled form: its value without what was wrong, what was typed, and what is wrong."""

    value: Filter
    typed: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)


def read_filter(request: web.Request, model: type[Filter]) -> Filled[Filter]:
    """Read the filter of a list; fields that are wrong are left out and named."""
    typed = read_query(request)
    try:
        return Filled(value=model.model_validate(typed), typed=typed)
    except ValidationError as error:
        errors = messages(error)
        kept = {name: text for name, text in typed.items() if name not in errors}
        try:
            return Filled(value=model.model_validate(kept), typed=typed, errors=errors)
        except ValidationError:
            return Filled(value=model(), typed=typed, errors=errors)


def next_link(request: web.Request, cursor: str | None) -> str | None:
    """Link to the page after this one, with the same filter."""
    if cursor is None:
        return None
    return _link(request, after=cursor)


def first_link(request: web.Request) -> str | None:
    """Link back to the first page; None on it."""
    return _link(request, after=None) if "after" in request.query else None


def _link(request: web.Request, *, after: str | None) -> str:
    query = {name: text for name, text in read_query(request).items() if name != "after" and text}
    if after is not None:
        query["after"] = after
    return f"{request.path}?{urlencode(query)}" if query else request.path
