"""Finds every sentence that pages show, wherever it stands in the sources.

templates            {{ _("…") }}, {% trans %}
ivr/web/**/*.py      _("…"), ngettext("…", "…", n), pgettext("…", "…"), mark("…")
tables               constants whose texts go through `_` where they are shown
errors               sentences of the billing library and of our own stores, which know no
                     languages; facts stand in them as {fact}. Their reasons have the context
                     `reason`, and {1}, {2} … for what was inserted.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from jinja2.ext import babel_extract

import billing
from billing.errors import BillingError
from ivr.web import explain, navigation, pictures, problems, vocabulary, words
from ivr.web.admin import reports
from ivr.web.reasons import REASON

ROOT: Final = Path(billing.__file__).parent.parent
KEYWORDS: Final[dict[str, Any]] = {  # Any: Babel's shapes of arguments
    "_": None,
    "gettext": None,
    "mark": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
}
JINJA: Final = {
    "trimmed": "true",
    "newstyle_gettext": "true",
    "trim_blocks": "true",
    "lstrip_blocks": "true",
}
TABLES: Final[Mapping[str, object]] = {
    "ivr/web/navigation.py": navigation.MENUS,
    "ivr/web/problems.py": {code: title for code, (_, title) in problems.KNOWN.items()},
    "ivr/web/vocabulary.py": vocabulary.WORDS,
    "ivr/web/explain.py": explain.METHODS,
    "ivr/web/pictures.py": pictures.UNITS,
    "ivr/web/admin/reports.py": reports.REPORTS,
    "ivr/web/words.py": (words.STATES, words.END_REASONS, words.KINDS, words.EVIDENCE, words.PER),
}
# Errors of these reach a page; those of the command line do not.
SAID: Final = {
    "Grid": ("caption", "titles", "empty"),
    "Problem": ("detail",),
    "Refusal": ("fields",),
}
# What goes into rows of the database in English, and is said where it is shown.
KEPT: Final = ("reason", "memo")
PACKAGES: Final = ("billing", "ivr.bulk", "ivr.directory", "ivr.web")


def read_sources() -> Catalog:
    """Collect all sentences with the files they stand in."""
    found = Catalog()
    _read_templates(found)
    _read_python(found)
    for name, table in TABLES.items():
        for text in _texts_of(table):
            _put(found, ROOT / name, text)
    for file, constant in _constants():
        for text in _texts_of(constant):
            _put(found, file, text)
    for error in _errors():
        _put(found, ROOT / f"{error.__module__.replace('.', '/')}.py", error.sentence)
    for package in PACKAGES:
        for file in sorted((ROOT / package.replace(".", "/")).rglob("*.py")):
            for reason in _reasons(ast.parse(file.read_text(encoding="utf-8"))):
                _put(found, file, reason, context=REASON)
    return found


def _read_templates(found: Catalog) -> None:
    for file in sorted((ROOT / "ivr/web/templates").rglob("*.html")):
        with file.open("rb") as source:
            for _line, name, found_texts, _notes in babel_extract(
                source, list(KEYWORDS), (), JINJA
            ):
                _add(found, file, name, found_texts)


def _read_python(found: Catalog) -> None:
    for file in sorted((ROOT / "ivr/web").rglob("*.py")):
        body = BytesIO(file.read_bytes())
        for _line, function, texts, _notes in extract_python(body, KEYWORDS, (), {}):
            _add(found, file, function, texts)


def _add(found: Catalog, file: Path, function: object, texts: object) -> None:
    """Add what an extractor found; what is not written out there is in one of the tables."""
    parts = [texts] if isinstance(texts, str) else list(texts) if isinstance(texts, tuple) else []
    written = [part for part in parts if isinstance(part, str) and part]
    match function, written:
        case "ngettext", [one, many, *_]:
            _put(found, file, (one, many))
        case "pgettext", [context, text, *_]:
            _put(found, file, text, context=context)
        case (("ngettext" | "pgettext"), _):
            pass
        case _, [text, *_]:
            _put(found, file, text)


def _put(
    found: Catalog, file: Path, text: str | tuple[str, str], *, context: str | None = None
) -> None:
    found.add(text, locations=[(file.relative_to(ROOT).as_posix(), 0)], context=context)


def _texts_of(table: object) -> Iterator[str]:
    """Yield the texts of a table; a path or a key is no text for people."""
    match table:
        case "":
            pass
        case str() if not table.startswith("/"):
            yield table
        case Mapping():
            for value in table.values():
                yield from _texts_of(value)
        case Sequence() if not isinstance(table, str):
            for value in table:
                yield from _texts_of(value)
        case _ if is_dataclass(table):
            for field in fields(table):
                yield from _texts_of(getattr(table, field.name))
        case _:
            pass


def _constants() -> Iterator[tuple[Path, object]]:
    """Yield the constants of modules that go through `_` by their name: _(DONE[what])."""
    for module in _modules("ivr.web"):
        file = Path(str(module.__file__))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="_"), args=[argument, *_]):
                    for part in ast.walk(argument):
                        if isinstance(part, ast.Name) and part.id.isupper():
                            yield file, getattr(module, part.id)


def _modules(package: str) -> Iterator[ModuleType]:
    root = importlib.import_module(package)
    yield root
    for part in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not part.name.endswith("__main__"):
            yield importlib.import_module(part.name)


def _errors() -> list[type[BillingError]]:
    """Return all classes of errors with codes that pages know."""
    for package in PACKAGES:
        list(_modules(package))
    found: list[type[BillingError]] = []
    waiting = [BillingError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith(PACKAGES):
            found.append(kind)
    return sorted(set(found), key=lambda kind: (kind.__module__, kind.__name__))


def _reasons(tree: ast.AST) -> Iterator[str]:
    """Yield what is said later, at the edge: reasons, memos, audited actions, texts of tables."""
    for node in ast.walk(tree):
        for value in _said_later(node):
            for part in _parts(value):
                if text := _template(part):
                    yield text


def _said_later(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Assign(targets=[ast.Name(id="said" | "action")], value=value):
            yield value
        case ast.Call(
            func=ast.Attribute(attr="note"),
            args=[ast.Name(id="who") | ast.Attribute(attr="who"), action, *_],
        ):
            yield action
        case ast.Call(func=ast.Name(id="refused"), args=[_, _, _, reason]):
            yield reason
        case ast.Call() if not _logs(node):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            yield from (each.value for each in node.keywords if each.arg in SAID.get(name, KEPT))
            yield from node.args[:1] if name == "ValueError" else ()
            yield from node.args[1:2] if name == "Refusal" else ()
            yield from node.args[:1] if name == "wrong_fields" else ()


def _parts(value: ast.expr) -> Iterator[ast.expr]:
    """Yield the texts of a tuple or of the values of a mapping; one text is its own part."""
    match value:
        case ast.Tuple(elts=parts) | ast.Dict(values=parts):
            for part in parts:
                yield from _parts(part)
        case ast.Starred(value=ast.IfExp(body=ast.Tuple(elts=parts))):
            yield from parts
        case ast.BoolOp(values=parts):
            for part in parts:
                yield from _parts(part)
        case ast.IfExp(body=one, orelse=other):
            yield from _parts(one)
            yield from _parts(other)
        case _:
            yield value


def _logs(node: ast.Call) -> bool:
    function = node.func
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "log"
    )


def _template(value: ast.expr) -> str:
    """Write a text, or one with insertions, as the catalog has it; nothing for other values."""
    match value:
        case ast.Constant(value=str() as text):
            return text if re.search(r"[A-Za-z]{2}", text) else ""
        case ast.JoinedStr(values=parts):
            number, text = 0, ""
            for part in parts:
                if isinstance(part, ast.Constant):
                    text += str(part.value)
                else:
                    number += 1
                    text += f"{{{number}}}"
            return text if " " in text and re.search(r"[A-Za-z]{2}", text) else ""
        case _:
            return ""
