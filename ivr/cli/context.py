"""What every command shares: settings from all sources, output for people or machines, errors.

A command that cannot do its work says so in one sentence on stderr and exits 1; wrong usage
exits 2, as typer does by itself.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
import uvloop

from ivr import logs
from ivr.settings import Settings, load

Result = TypeVar("Result")

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]

_config: list[Path | None] = [None]


def remember_config(path: Path | None) -> None:
    """Keep the path given by --config for the command that follows it."""
    _config[0] = path


def settings(**overrides: object) -> Settings:
    """Load the settings and set up logging by them."""
    loaded = load(_config[0], overrides)
    logs.configure(log_format=loaded.log_format, level=loaded.log_level)
    return loaded


def config_path() -> Path | None:
    """Return the file given by --config."""
    return _config[0]


def run(work: Coroutine[Any, Any, Result]) -> Result:  # Any: what a coroutine is sent never matters
    """Run one coroutine on a fast event loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def emit(document: object) -> None:
    """Print one JSON document on one line."""
    print(json.dumps(document, ensure_ascii=False), flush=True)


def say(text: str = "") -> None:
    """Print one line for people."""
    print(text, flush=True)


def fail(sentence: str) -> NoReturn:
    """Say what is wrong and what to do, and exit 1."""
    print(f"talkmeter: {sentence}", file=sys.stderr, flush=True)
    raise typer.Exit(1)
