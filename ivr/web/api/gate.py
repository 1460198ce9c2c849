"""The one gate in front of every API operation: token, role, query, body; and the answer.

An operation is a row of a table. The same row makes the route, checks what comes in, shapes what
goes out and writes its part of the OpenAPI document, so that none of them can drift apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

from billing.clock import MICROSECONDS
from ivr.web.api.conditions import IF_MATCH, must_match, not_what_was_read, tagged
from ivr.web.downloads import send_parts
from ivr.web.fields import Input
from ivr.web.guard import read_query
from ivr.web.limits import network
from ivr.web.problems import Refusal
from ivr.web.rights import ALL
from ivr.web.scope import NotYours, Right, Role, Scope, Who
from ivr.web.security import address_of
from ivr.web.state import Web, web_of
from ivr.web.tokens import CLI_LOGIN, USED, USED_SECONDS, Token, bearer, find_token, is_cli

BASE: Final = "/api/v1"
BAD_TOKENS_MAX: Final = 100
# Of one token in the window of `limits`, 15 minutes: some 16 a second without end.
REQUESTS_MAX: Final = 15_000
WHOLE_BYTES_MAX: Final = 64 * 1024
JSON: Final = "application/json"
IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"
KEY: Final = re.compile(r"[\x21-\x7e]{1,100}", re.ASCII)


class NoQuery(Input):
    """An operation without parameters."""


class BrokenAnswer(Exception):
    """An operation made an answer that is not what its document says: our mistake, never theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request that passed the gate: who asks, and checked input."""

    request: web.Request
    web: Web
    who: Who
    query: Input
    body: Input | None

    def named(self, name: str) -> str:
        """Return a part of the path."""
        return self.request.match_info[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an operation answers; `status` where it is not the one of the table."""

    model: BaseModel
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> bytes:
        """The JSON."""
        return self.model.model_dump_json().encode()

    def response(self, status: int) -> web.Response:
        """Write it as JSON."""
        response = web.Response(
            body=self.body,
            content_type=JSON,
            status=self.status or status,
            headers=dict(self.headers),
        )
        if getattr(self.model, "replayed", False):
            response.headers[REPLAYED_HEADER] = "true"
        return response


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAnswer:
    """A file that an operation answers with."""

    body: bytes
    media: str
    name: str

    def response(self, status: int) -> web.Response:
        """Write it as something to be kept."""
        return web.Response(
            body=self.body,
            content_type=self.media,
            status=status,
            headers={"Content-Disposition": f'attachment; filename="{self.name}"'},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LongFile:
    """A file that is made while it is sent: how it is cannot be known before."""

    parts: AsyncGenerator[bytes, None]
    media: str
    name: str


OperationHandler = Callable[[Ask], Awaitable[Answer | FileAnswer | LongFile]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the API. `statuses` are the good ones, the usual one first."""

    method: str
    path: str
    name: str
    summary: str
    roles: frozenset[Role]
    handler: OperationHandler
    # None: a file of the type `media`.
    answer: type[BaseModel] | None
    media: str = JSON
    query: type[Input] = NoQuery
    body: type[Input] | None = None
    statuses: tuple[int, ...] = (200,)
    needs_key: bool = False
    # Shows the thing that is changed, for If-Match; `version` in the body closes the race.
    versioned: OperationHandler | None = None
    # What a token needs beyond its role; those of callers need nothing more.
    right: Right | None = None
    # A long file: made while it is sent, so that it has no tag.
    streamed: bool = False
    # Larger bodies than pages send; None: as everywhere.
    bytes_max: int | None = None
    problems: tuple[str, ...] = ()
    # What `summary` has no room for.
    description: str = ""
    # Where what was made can be read: the name of the operation that shows it.
    located: str = ""

    @property
    def has_etag(self) -> bool:
        """Whether what was read is not sent again."""
        return self.method == "GET" and not self.streamed

    @property
    def tag(self) -> str:
        """The noun it is about: the first word of its path."""
        return self.path.split("/")[1]


def idempotency_key(ask: Ask) -> str:
    """Read the key that the caller of the API made for this one movement of money.

    Raises:
        Refusal: there is none.

    """
    return _key_of(ask.request)


def _key_of(request: web.Request) -> str:
    key = request.headers.get(IDEMPOTENCY_HEADER, "")
    if not KEY.fullmatch(key):
        raise Refusal(
            "missing_key", "Send one of 1 to 100 visible ASCII characters, new for each movement."
        )
    return key


def guarded(operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Put the gate in front of an operation."""

    async def handle(request: web.Request) -> web.StreamResponse:
        who = await _identify(request)
        if who.role not in operation.roles:
            raise Refusal("forbidden", "The token is not made for this.")
        if operation.right is not None and not who.may(operation.right):
            raise Refusal("forbidden", f"The token lacks the scope {operation.right}.")
        if operation.bytes_max is not None:
            request = request.clone(client_max_size=operation.bytes_max)
        ask = Ask(
            request=request,
            web=web_of(request),
            who=who,
            query=operation.query.model_validate(read_query(request)),
            body=await _read_body(request, operation.body),
        )
        if operation.needs_key:
            _key_of(request)
        try:
            if operation.versioned is not None and IF_MATCH in request.headers:
                await _check_version(operation.versioned, ask)
            answer = await operation.handler(ask)
        except ValidationError as error:
            raise BrokenAnswer(operation.name) from error
        if isinstance(answer, LongFile):
            return await send_parts(
                request, answer.parts, name=answer.name, content_type=answer.media
            )
        response = answer.response(operation.statuses[0])
        return tagged(request, response) if operation.has_etag else response

    return handle


async def _check_version(show: OperationHandler, ask: Ask) -> None:
    """Refuse to change what is not as it was read.

    Raises:
        Refusal: it is another now, or gone.

    """
    try:
        shown = await show(ask)
    except NotYours:
        raise not_what_was_read() from None
    except Refusal as refusal:
        if refusal.problem.code == "not_found":
            raise not_what_was_read() from None
        raise
    assert not isinstance(shown, LongFile)
    must_match(ask.request, shown.body)


async def _identify(request: web.Request) -> Who:
    """Find whose token it is. Only failures are counted: a good token is never locked out."""
    running = web_of(request)
    address = address_of(request)
    token = bearer(request.headers.get("Authorization"))
    if token is None:
        raise _unauthenticated("Send a token: Authorization: Bearer ...")
    if is_cli(token, running.deps.cli_token):
        scope = Scope(role=Role.OPERATOR, subject=None)
        return Who(login=CLI_LOGIN, scope=scope, address=address, csrf="", session="", rights=ALL)
    async with running.reading() as connection:
        found = await find_token(connection, token, now_us=running.now_us())
    if found is None:
        wait = running.bearers.take({f"bearer:{network(address)}": BAD_TOKENS_MAX})
        if wait:
            raise Refusal(
                "too_many_tries", "Wrong tokens only.", headers={"Retry-After": str(wait)}
            )
        raise _unauthenticated("The token is unknown, expired or revoked.")
    await _pace(running, found)
    return Who(
        login=found.name,
        scope=running.scoped(found.scope),
        address=address,
        csrf="",
        session="",
        rights=found.rights,
    )


async def _pace(running: Web, token: Token) -> None:
    """Note that a token is used, once a minute at most; one that asks without end has to wait."""
    wait = running.paces.take({token.hash: REQUESTS_MAX})
    if wait:
        raise Refusal(
            "too_many_tries", "Too many requests of this token.", headers={"Retry-After": str(wait)}
        )
    now_us = running.now_us()
    if now_us - token.used_us >= USED_SECONDS * MICROSECONDS:
        await running.deps.writer.write(USED, {"token": token.hash, "now_us": now_us})


def _unauthenticated(detail: str) -> Refusal:
    return Refusal(
        "not_authenticated", detail, headers={"WWW-Authenticate": 'Bearer realm="talkmeter"'}
    )


async def _read_body(request: web.Request, model: type[Input] | None) -> Input | None:
    if model is None:
        return None
    if request.content_type != JSON:
        raise Refusal("wrong_media_type", f"Send {JSON}.")
    # Numbers are numbers and flags are flags; what a model takes apart itself is no JSON any more.
    body = await request.read()
    if model.takes_apart:
        return TypeAdapter(model).validate_json(body)
    return TypeAdapter(model).validate_json(_whole(body), strict=True)


def _whole(body: bytes) -> bytes:
    """Write 25.0 as 25: in JSON they are the same number, and JSON Schema takes both as integer."""
    if len(body) > WHOLE_BYTES_MAX or b"." not in body:
        return body
    try:
        return json.dumps(json.loads(body, parse_float=_number)).encode()
    except (ValueError, RecursionError):
        return body  # whoever reads it says what is wrong


def _number(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() else number
