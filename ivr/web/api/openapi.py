"""The OpenAPI 3.1 document, written from the table of operations and their models."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ivr.web.api.about import ABOUT, IF_MATCH_HELP, IF_NONE_MATCH_HELP, KEY_HELP, TAGS
from ivr.web.api.conditions import ETAG, IF_MATCH, IF_NONE_MATCH
from ivr.web.api.gate import BASE, IDEMPOTENCY_HEADER, KEY, REPLAYED_HEADER, Operation
from ivr.web.fields import Input
from ivr.web.problems import KNOWN, Problem

Json = dict[str, Any]  # Any: a JSON document
REF: Final = "#/components/schemas/{model}"
PARAMETER: Final = re.compile(r"\{(\w+):((?:[^{}]|\{[^{}]*\})*)\}")
ALWAYS: Final = (
    "not_authenticated",
    "forbidden",
    "too_many_tries",
    "unavailable",
    "ledger_unavailable",
)
GOOD: Final = {200: "Done.", 201: "Made.", 202: "Asked for."}
# What a status carries besides its body.
RETRY: Final = {429, 503}
PROBLEM: Final[Json] = {
    "type": "object",
    "description": "RFC 9457 problem details. `code` says the same as `type`, in one word.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string", "description": "The same for every problem of this code."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What happened here, for people."},
        "code": {"type": "string", "enum": sorted(KNOWN)},
        "errors": {
            "type": "array",
            "description": "Which inputs are wrong, and what is wrong with each.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {
                    "field": {"type": "string", "examples": ["amount"]},
                    "message": {"type": "string", "examples": ["Please fill this in."]},
                },
            },
        },
    },
}
HEADERS: Final[Json] = {
    "RetryAfter": {
        "description": "After how many seconds it is worth trying again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Challenge": {
        "description": "How to authenticate.",
        "required": True,
        "schema": {"type": "string", "examples": ['Bearer realm="talkmeter"']},
    },
    "Location": {
        "description": "Where it can be read.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Tag": {
        "description": "The same as long as the answer is the same, byte for byte.",
        "required": True,
        "schema": {"type": "string", "examples": ['"pYx0Ww3s1N6tQ2kqvL9bA0cD4eF5gH6i"']},
    },
    "Replayed": {
        "description": "`true` where the key was used before: the answer is the first one again.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}


def document(operations: Sequence[Operation], webhooks: Json | None = None) -> Json:
    """Write the document."""
    paths: defaultdict[str, Json] = defaultdict(dict)
    for operation in operations:
        path = PARAMETER.sub(r"{\1}", operation.path)
        paths[path][operation.method.lower()] = _operation(operation)
    tags = sorted({operation.tag for operation in operations})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Talkmeter",
            "version": version("talkmeter"),
            "summary": "Sells phone support by the minute.",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": BASE, "description": "This installation."}],
        "security": [{"token": []}],
        "tags": [{"name": tag, "description": TAGS.get(tag, tag.capitalize())} for tag in tags],
        "paths": dict(paths),
        "webhooks": webhooks or {},
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the installation: of an operator, a client or a "
                    "caller. It sees what a login of that role sees.",
                }
            },
            "headers": HEADERS,
            "schemas": {**_schemas(operations), "Problem": PROBLEM},
        },
    }


def _schemas(operations: Sequence[Operation]) -> Json:
    bodies: list[tuple[type[BaseModel], Any]] = [  # Any: pydantic's Literal of modes
        (operation.body, "validation") for operation in operations if operation.body
    ]
    answers: list[tuple[type[BaseModel], Any]] = [  # Any: as above
        (operation.answer, "serialization") for operation in operations if operation.answer
    ]
    _, defined = models_json_schema([*bodies, *answers], ref_template=REF)
    schemas: Json = defined["$defs"]
    return schemas


def _operation(operation: Operation) -> Json:
    roles = ", ".join(sorted(operation.roles))
    needs = f" An operator needs the right `{operation.right.value}`." if operation.right else ""
    text = f"{operation.description} " if operation.description else ""
    written: Json = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": f"{text}For: {roles}.{needs}",
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.body is not None:
        written["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _body(operation.body)}},
        }
    return written


def _body(model: type[Input]) -> Json:
    """Refer to what is sent, or to that and what may be sent in its place."""
    if model.alone is None:
        return _ref(model.__name__)
    return {"oneOf": [_ref(model.__name__), _ref(model.alone.__name__)]}


def _parameters(operation: Operation) -> list[Json]:
    found = [
        {
            "name": match[1],
            "in": "path",
            "required": True,
            "description": f"The {match[1].removesuffix('_id').replace('_', ' ')}.",
            "schema": {"type": "string", "pattern": f"^{match[2]}$"},
        }
        for match in PARAMETER.finditer(operation.path)
    ]
    schema = operation.query.model_json_schema(by_alias=True)
    for name, described in schema.get("properties", {}).items():
        written = _given(described)
        text = described.get("description")
        found.append(
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "schema": written,
                **({"description": text} if text else {}),
            }
        )
    if operation.needs_key:
        key = {"type": "string", "pattern": f"^{KEY.pattern}$"}
        found.append(_in_header(IDEMPOTENCY_HEADER, KEY_HELP, key, required=True))
    if operation.has_etag:
        found.append(_in_header(IF_NONE_MATCH, IF_NONE_MATCH_HELP, {"type": "string"}))
    if operation.versioned is not None:
        found.append(_in_header(IF_MATCH, IF_MATCH_HELP, {"type": "string"}))
    return found


def _in_header(name: str, says: str, schema: Json, *, required: bool = False) -> Json:
    return {
        "name": name, "in": "header", "required": required, "description": says, "schema": schema,
    }  # fmt: skip


def _given(described: Json) -> Json:
    """Describe a parameter: one that is not given is left out, never null."""
    written = {
        name: value
        for name, value in described.items()
        if name not in {"description", "title"} and (name, value) != ("default", None)
    }
    choices = [each for each in written.pop("anyOf", []) if each != {"type": "null"}]
    if len(choices) == 1:
        return {**choices[0], **written}
    return {**written, "anyOf": choices} if choices else written


def _responses(operation: Operation) -> Json:
    # A catalog is a document itself, which some readers of this one read.
    schema: Json = {"type": "string", "contentMediaType": operation.media}
    if operation.media == "application/yaml":
        schema = {"type": "object"}
    if operation.answer is not None:
        schema = _ref(operation.answer.__name__)
    responses: Json = {}
    for status in operation.statuses:
        headers: Json = {}
        if operation.needs_key:
            headers[REPLAYED_HEADER] = _header("Replayed")
        if operation.located and status == 201:
            headers["Location"] = _header("Location")
        if operation.has_etag and status == 200:
            headers[ETAG] = _header("Tag")
        responses[str(status)] = {
            "description": GOOD[status],
            **({"headers": headers} if headers else {}),
            "content": {operation.media: {"schema": schema}},
        }
    if operation.has_etag:
        tag = {"headers": {ETAG: _header("Tag")}}
        responses["304"] = {"description": "The answer is what you have.", **tag}
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in dict.fromkeys(_codes(operation)):
        by_status[KNOWN[code][0]].append(code)
    for status, found in sorted(by_status.items()):
        responses[str(status)] = _problem(status, found)
    return responses


def _codes(operation: Operation) -> list[str]:
    """Name every problem that an operation may answer with."""
    codes = [*ALWAYS, *operation.problems]
    if PARAMETER.search(operation.path):
        codes.append("not_found")
    if operation.needs_key:
        codes += ["missing_key", "idempotency_conflict"]
    if operation.versioned is not None:
        codes.append("precondition_failed")
    if operation.body is not None or operation.query.model_fields:
        codes += ["invalid", "bad_request"]
    if "after" in operation.query.model_fields:
        codes.append("invalid_input")
    if operation.body is not None:
        codes += ["wrong_media_type", "too_large"]
    return codes


def _problem(status: int, codes: Sequence[str]) -> Json:
    titles = dict.fromkeys(KNOWN[code][1] for code in codes)
    headers: Json = {}
    if status in RETRY:
        headers["Retry-After"] = _header("RetryAfter")
    if status == 401:
        headers["WWW-Authenticate"] = _header("Challenge")
    return {
        "description": "; ".join(titles) + ".",
        **({"headers": headers} if headers else {}),
        "content": {
            "application/problem+json": {
                "schema": {
                    **_ref("Problem"),
                    "properties": {"status": {"const": status}, "code": {"enum": sorted(codes)}},
                },
                "examples": {
                    code: {"value": Problem(code=code, detail=f"{KNOWN[code][1]}.").document()}
                    for code in codes
                },
            }
        },
    }


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


def _ref(model: str) -> Json:
    return {"$ref": REF.format(model=model)}
