"""The OpenAPI 3.1 document, written from the table of operations and their models."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ivr.web.api.gate import BASE, IDEMPOTENCY_HEADER, Operation
from ivr.web.problems import KNOWN

Json = dict[str, Any]  # Any: a JSON document
REF: Final = "#/components/schemas/{model}"
PARAMETER: Final = re.compile(r"\{(\w+):((?:[^{}]|\{[^{}]*\})*)\}")
ALWAYS: Final = ("not_authenticated", "forbidden", "too_many_tries", "unavailable")
GOOD: Final = {200: "Done.", 201: "Made.", 202: "Asked for."}
PROBLEM: Final[Json] = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": sorted(KNOWN)},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def document(operations: Sequence[Operation]) -> Json:
    """Write the document."""
    schemas = _schemas(operations)
    paths: defaultdict[str, Json] = defaultdict(dict)
    for operation in operations:
        path = PARAMETER.sub(r"{\1}", operation.path)
        paths[path][operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Talkmeter",
            "version": version("talkmeter"),
            "summary": "Sells phone support by the minute.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": BASE}],
        "security": [{"token": []}],
        "paths": dict(paths),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**schemas, "Problem": PROBLEM},
        },
    }


def _schemas(operations: Sequence[Operation]) -> Json:
    bodies: list[tuple[type[BaseModel], Any]] = [  # Any: pydantic's Literal of modes
        (operation.body, "validation") for operation in operations if operation.body
    ]
    answers: list[tuple[type[BaseModel], Any]] = [  # Any: as above
        (operation.answer, "serialization") for operation in operations
    ]
    _, defined = models_json_schema([*bodies, *answers], ref_template=REF)
    schemas: Json = defined["$defs"]
    return schemas


def _operation(operation: Operation) -> Json:
    written: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"For: {', '.join(sorted(operation.roles))}.",
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.body is not None:
        written["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(operation.body.__name__)}},
        }
    return written


def _parameters(operation: Operation) -> list[Json]:
    found = [
        {
            "name": match[1],
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{match[2]}$"},
        }
        for match in PARAMETER.finditer(operation.path)
    ]
    schema = operation.query.model_json_schema(by_alias=True)
    for name, description in schema.get("properties", {}).items():
        found.append(
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "schema": {
                    key: value for key, value in description.items() if key != "description"
                },
                **({"description": text} if (text := description.get("description")) else {}),
            }
        )
    if operation.needs_key:
        found.append(
            {
                "name": IDEMPOTENCY_HEADER,
                "in": "header",
                "required": True,
                "description": "New for each change, the same when the change is sent again.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 100},
            }
        )
    return found


def _responses(operation: Operation) -> Json:
    responses: Json = {
        str(status): {
            "description": GOOD[status],
            "content": {"application/json": {"schema": _ref(operation.answer.__name__)}},
        }
        for status in operation.statuses
    }
    codes = [*ALWAYS, *operation.problems]
    if operation.body is not None or operation.query.model_fields:
        codes += ["invalid", "bad_request"]
    if operation.body is not None:
        codes += ["wrong_media_type", "too_large", "ledger_unavailable"]
    titles: defaultdict[int, list[str]] = defaultdict(list)
    for code in codes:
        titles[KNOWN[code][0]].append(KNOWN[code][1])
    for status, texts in sorted(titles.items()):
        responses[str(status)] = {
            "description": "; ".join(dict.fromkeys(texts)) + ".",
            "content": {"application/problem+json": {"schema": _ref("Problem")}},
        }
    return responses


def _ref(model: str) -> Json:
    return {"$ref": REF.format(model=model)}
