"""The API for people to read: written from the same document that programs read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from ivr.web.api.about import KEY_HELP, TAGS
from ivr.web.api.conditions import IF_NONE_MATCH
from ivr.web.api.events import envelope_of
from ivr.web.api.gate import BASE
from ivr.web.guard import current_who, render
from ivr.web.state import web_of
from ivr.web.webhooks.events import EVENTS

Json = dict[str, Any]  # Any: a JSON document
SAMPLES: Final = {
    "account": "alice",
    "call_id": "0193a1b2-0000-7000-8000-000000000001",
    "client": "acme",
    "subscription": "alice",
    "invoice": "2026-000123",
    "agent": "eve",
    "login": "eve@example.com",
    "import_id": "n2RrD3kq0m5yS8uVwXz1aBcDeFgHiJkL",
    "session": "0123456789abcdef",
    "language": "en",
    "prompt": "welcome",
    "number": "18005550100",
    "digit": "1",
    "step": "greeting",
    "queue": "acme-day",
    "tariff": "standard",
    "plan": "starter",
    "key": "0123456789abcdef",
    "client_code": "acme",
    "party_kind": "client",
    "party_code": "acme",
    "serial": "17",
}
VERIFY: Final = """\
import hashlib, hmac
from time import time

def is_ours(secret: str, header: str, body: bytes) -> bool:
    parts = [part.partition("=") for part in header.split(",")]
    at = next(value for name, _, value in parts if name == "t")
    if abs(time() - int(at)) > 300:
        return False
    expected = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    given = [value for name, _, value in parts if name == "v1"]
    return any(hmac.compare_digest(expected, value) for value in given)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter or a field of a body, in words."""

    name: str
    place: str
    kind: str
    required: bool
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One operation as the page shows it."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: Sequence[Parameter]
    curl: str
    statuses: Sequence[tuple[str, str]]


class ApiPage:
    """Answers the page; what it shows is made ready once."""

    def __init__(self, document: Json) -> None:
        schemas = document["components"]["schemas"]
        self._tags: dict[str, list[Shown]] = {}
        for path, item in document["paths"].items():
            for method, operation in item.items():
                shown = _shown(path, method, operation, schemas)
                self._tags.setdefault(operation["tags"][0], []).append(shown)
        self._version = document["info"]["version"]

    async def answer(self, request: web.Request) -> web.Response:
        """Show the page."""
        base = f"{request.scheme}://{request.host}{BASE}"
        values = {
            "tags": [(tag, TAGS.get(tag, ""), shown) for tag, shown in sorted(self._tags.items())],
            "events": [
                (event, json.dumps(envelope_of(event), indent=2)) for event in EVENTS.values()
            ],
            "verify": VERIFY,
            "base": base,
            "version": self._version,
            "hosts": web_of(request).deps.issuer.title,
        }
        return render(request, "api.html", await current_who(request), values)


def _shown(path: str, method: str, operation: Json, schemas: Json) -> Shown:
    parameters = [
        Parameter(
            name=each["name"],
            place=each["in"],
            kind=kind_of(each["schema"], schemas),
            required=each["required"],
            says=each.get("description", ""),
        )
        for each in operation["parameters"]
        # The page says once what all reading operations take.
        if each["name"] != IF_NONE_MATCH
    ]
    bodies = _bodies(operation, schemas)
    for place, schema in bodies.items():
        parameters += [
            Parameter(
                name=name,
                place=place,
                kind=kind_of(field, schemas),
                required=name in schema.get("required", []),
                says=_resolved(field, schemas).get("description", ""),
            )
            for name, field in schema.get("properties", {}).items()
        ]
    return Shown(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation["description"].replace("`", ""),
        parameters=parameters,
        curl=_curl(path, method.upper(), operation, list(bodies.values())[-1:], schemas),
        statuses=[
            (status, answer["description"]) for status, answer in operation["responses"].items()
        ],
    )


def _bodies(operation: Json, schemas: Json) -> dict[str, Json]:
    """Name what may be sent as body: one thing, or that and what may be sent in its place."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is None:
        return {}
    choices = body["schema"].get("oneOf", [body["schema"]])
    places = ("body", "body, alone")
    return {place: _resolved(each, schemas) for place, each in zip(places, choices, strict=False)}


def kind_of(schema: Json, schemas: Json) -> str:
    """Say in a few words what a value is."""
    schema = _resolved(schema, schemas)
    for many in ("anyOf", "oneOf"):
        if many in schema:
            kinds = [kind_of(each, schemas) for each in schema[many] if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}), schemas)}"
    if schema.get("properties"):
        return f"{{{', '.join(schema['properties'])}}}"
    kind = str(schema.get("format") or schema.get("type") or "value")
    limits = [
        f"{word} {schema[name]}"
        for name, word in (
            ("minimum", "from"), ("maximum", "to"), ("minLength", "at least"),
            ("maxLength", "at most"),
        )
        if schema.get(name)
    ]  # fmt: skip
    return ", ".join([kind, *limits])


def example_of(schema: Json, schemas: Json) -> object:
    """Make a value that fits: the example that is given, the default, or the simplest."""
    schema = _resolved(schema, schemas)
    for given in ("examples", "enum"):
        if schema.get(given):
            return schema[given][0]
    if schema.get("default") is not None:
        return schema["default"]
    for many in ("anyOf", "oneOf"):
        if many in schema:
            return example_of(schema[many][0], schemas)
    match schema.get("type"):
        case "integer":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case "array":
            return [example_of(schema.get("items", {}), schemas)]
        case "object":
            return _sample(schema, schemas)
    return "2026-03-31T12:00:00Z" if schema.get("format") == "date-time" else "text"


def _sample(schema: Json, schemas: Json) -> Mapping[str, object]:
    """Fill what is required, and one field more where nothing is."""
    fields = schema.get("properties", {})
    names = schema.get("required") or list(fields)[:1]
    return {name: example_of(fields[name], schemas) for name in names}


def _curl(path: str, method: str, operation: Json, bodies: Sequence[Json], schemas: Json) -> str:
    asked: list[str] = []
    more: list[str] = []
    for each in operation["parameters"]:
        if each["in"] == "path":
            name = each["name"]
            value = SAMPLES.get(name, SAMPLES["call_id"])
            path = path.replace("{" + name + "}", value)
        elif each["in"] == "query" and each["required"]:
            asked.append(f"{each['name']}={example_of(each['schema'], schemas)}")
        elif each["in"] == "header" and each["required"]:
            more.append(f"-H '{each['name']}: a-key-of-yours'")
    for body in bodies:
        written = json.dumps(_sample(body, schemas))
        more += ["-H 'Content-Type: application/json'", f"-d '{written}'"]
    verb = "" if method == "GET" else f" -X {method}"
    query = f"?{'&'.join(asked)}" if asked else ""
    lines = [f'curl{verb} "$BASE{path}{query}"', '-H "Authorization: Bearer $TOKEN"', *more]
    return " \\\n  ".join(lines)


def _resolved(schema: Json, schemas: Json) -> Json:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Json = schemas[reference.rpartition("/")[2]]
    return {**found, **{name: value for name, value in schema.items() if name != "$ref"}}


__all__ = ["KEY_HELP", "ApiPage", "example_of", "kind_of"]
