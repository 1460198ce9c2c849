"""The house keeps its shape: directions of imports, sizes, banned words.

A rule that is broken is named with file and line; the tables here are the rule.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PRODUCT = sorted(
    path
    for package in ("billing", "ivr")
    for path in (ROOT / package).rglob("*.py")
    if "versions" not in path.parts
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))

PRODUCT_LINES_MAX = 400
TEST_LINES_MAX = 600
FUNCTION_LINES_MAX = 60

# Who may import what: prefix of the importer -> prefixes it must not import.
FORBIDDEN = {
    "billing": ("ivr", "aiohttp", "panoramisk", "pydantic", "jinja2", "typer"),
    "billing/domain": ("sqlalchemy", "asyncio", "structlog", "billing.storage", "billing.charging"),
    "ivr/calls": ("aiohttp", "panoramisk", "jinja2", "typer", "ivr.web", "ivr.agi", "ivr.ami"),
    "ivr/flows": ("aiohttp", "panoramisk", "sqlalchemy", "ivr.web", "ivr.agi", "ivr.ami", "typer"),
    "ivr/agi": ("sqlalchemy", "billing", "ivr.calls", "ivr.flows", "ivr.web", "aiohttp"),
    "ivr/ami": ("sqlalchemy", "billing.storage", "ivr.calls", "ivr.flows", "ivr.web", "aiohttp"),
    "ivr/directory": ("aiohttp", "panoramisk", "ivr.web", "ivr.agi", "ivr.ami", "ivr.calls"),
    "ivr/payments": (
        "aiohttp",
        "panoramisk",
        "jinja2",
        "typer",
        "billing.storage",
        "ivr.web",
        "ivr.agi",
        "ivr.ami",
        "ivr.calls",
        "ivr.flows",
    ),
    "ivr/sandbox": ("aiohttp", "panoramisk", "sqlalchemy", "billing.storage"),
}
# The only places that may import it.
ONLY = {
    "panoramisk": ("ivr/agi/", "ivr/ami/"),
    "aiohttp": ("ivr/web/",),
    "jinja2": ("ivr/web/",),
    "fpdf": ("billing/paper.py",),
    "xlsxwriter": ("ivr/web/sheets.py",),
    "stripe": ("ivr/payments/stripe_",),
    "argon2": ("ivr/web/", "ivr/directory/pins.py"),
}
BANNED = {
    r"\bfloat\(": ("billing/",),
    r"datetime\.now\(|time\.time\(|\buuid4\(": ("billing/", "ivr/"),
    r"except BaseException": ("billing/", "ivr/"),
    r"\bos\.environ\b": ("billing/", "ivr/"),
    r"\b(FIX" + r"ME|XX" + r"X)\b|TO" + r"DO\b": ("billing/", "ivr/", "tests/"),
}
ALLOWED = {
    ("billing/clock.py", r"datetime\.now\(|time\.time\(|\buuid4\("),
    ("ivr/settings.py", r"\bos\.environ\b"),
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield node.lineno, node.module or ""


def reaches(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


@pytest.mark.parametrize("path", PRODUCT, ids=relative)
def test_imports_point_inwards(path: Path) -> None:
    name = relative(path)
    found = list(imports(ast.parse(path.read_text(encoding="utf-8"))))

    wrong = [
        f"{name}:{line} imports {module}"
        for line, module in found
        for place, prefixes in FORBIDDEN.items()
        if name.startswith(place + "/") and any(reaches(module, prefix) for prefix in prefixes)
    ]
    wrong += [
        f"{name}:{line} imports {module}"
        for line, module in found
        for library, places in ONLY.items()
        if reaches(module, library) and not name.startswith(places)
    ]

    assert not wrong


@pytest.mark.parametrize("path", PRODUCT + TESTS, ids=relative)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    is_test = relative(path).startswith("tests/")

    lines = text.count("\n")
    long_functions = [
        f"{relative(path)}:{node.lineno} {node.name}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES_MAX
    ]

    assert lines <= (TEST_LINES_MAX if is_test else PRODUCT_LINES_MAX)
    assert not long_functions


@pytest.mark.parametrize("path", PRODUCT, ids=relative)
def test_modules_say_what_they_are(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))

    assert ast.get_docstring(tree), f"{relative(path)} has no docstring"


@pytest.mark.parametrize("path", PRODUCT + TESTS, ids=relative)
def test_banned_words_stay_out(path: Path) -> None:
    name = relative(path)
    text = path.read_text(encoding="utf-8")

    wrong = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1} {match.group()}"
        for pattern, places in BANNED.items()
        if name.startswith(places) and (name, pattern) not in ALLOWED
        for match in re.finditer(pattern, text)
    ]

    assert not wrong


@pytest.mark.parametrize("path", PRODUCT, ids=relative)
def test_every_task_has_a_name(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))

    nameless = [
        f"{relative(path)}:{node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "create_task"
        and not any(keyword.arg == "name" for keyword in node.keywords)
    ]

    assert not nameless


def test_the_root_stays_small() -> None:
    allowed = {
        "pyproject.toml", "README.md", "ivr", "billing", "asterisk-conf", "tests",
        "docker-compose.yml", "Makefile", "LICENSE", "CHANGELOG.md", ".ci", ".github",
        ".git", ".gitignore", ".dockerignore",
    }  # fmt: skip
    ignored = {
        line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    }

    strangers = {
        path.name
        for path in ROOT.iterdir()
        if path.name not in allowed | ignored and not path.name.endswith(".egg-info")
    }

    assert not strangers
