"""Structured logs on stderr: a fixed lowercase phrase and its facts.

Numbers of callers are shortened, and keys that may carry digits, PINs or secrets are refused a
value whatever the code tries to log.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO, cast

import structlog

NUMBER_KEYS: Final = frozenset({"caller", "number", "phone"})
SECRET_KEYS: Final = frozenset({"pin", "digits", "secret", "password", "token", "dtmf"})
NUMBER_DIGITS_SHOWN: Final = 4


class _Stderr:
    """Whatever stderr is at the moment: a logger that is kept must not keep a closed file."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure(*, log_format: str, level: str) -> None:
    """Send all logs to stderr, for people (`console`) or machines (`json`)."""
    render: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Stderr())),
        cache_logger_on_first_use=True,
    )


def redact(
    _logger: object,
    _method: str,
    event: MutableMapping[str, Any],  # Any: structlog's own signature
) -> MutableMapping[str, Any]:  # Any: as above
    """Shorten numbers, blank secrets."""
    for key in event.keys() & NUMBER_KEYS:
        event[key] = shortened(str(event[key]))
    for key in event.keys() & SECRET_KEYS:
        event[key] = "***"
    return event


def shortened(number: str) -> str:
    """Keep the last four digits of a number, enough to recognise one's own."""
    return f"…{number[-NUMBER_DIGITS_SHOWN:]}" if len(number) > NUMBER_DIGITS_SHOWN else "…"
