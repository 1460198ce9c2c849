"""The FastAGI wire without any I/O: the header block, reply lines, and quoting.

Everything read here is a peer's bytes: limits come first, then characters, then meaning. What is
refused raises `WireError`, which ends that connection and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# The longest header block, and the longest reply line.
BLOCK_BYTES_MAX: Final = 32 * 1024
# Asterisk's own buffer was 2048 bytes before 20.16 and 22.6.
COMMAND_BYTES_MAX: Final = 2000
HANGUP_LINE: Final = b"HANGUP\n"

_HEADER = re.compile(r"^(agi_[a-z0-9_]{1,40}): ?([^\n]*)\n", re.ASCII | re.MULTILINE)
_REPLY = re.compile(r"(\d{3})([ -])(.*)", re.ASCII)
# What stands in parentheses may itself hold some: the last one closes.
_RESULT = re.compile(r"result=(\S*)(?: \((.*)\))?(?: endpos=(\d+))?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


class WireError(Exception):
    """The peer broke the protocol. The text never holds the peer's bytes."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: `code` 200 brings `result` and what stood in parentheses as `data`."""

    code: int
    result: str = ""
    data: str = ""
    more: bool = False  # a usage text follows, up to its end line

    @property
    def failed(self) -> bool:
        """Tell whether the command was not done (-1): most often the caller is gone."""
        return self.result == "-1"


_DONE_LINE: Final = b"200 result=0\n"
_DONE: Final = Reply(200, "0")


def parse_headers(block: bytes) -> dict[str, str]:
    """Read the block of `agi_…: …` lines before the first empty line.

    Raises:
        WireError: too large, a line that is no header, a control character, or a header twice.

    """
    if len(block) > BLOCK_BYTES_MAX:
        raise WireError("header block too large")
    text = block.decode("utf-8", "replace")
    if _CONTROL.search(text):
        raise WireError("a control character in a header")
    found = _HEADER.findall(text)
    if not found or len(found) != text.count("\n") or not text.endswith("\n"):
        raise WireError("not a header line")
    headers = dict(found)
    if len(headers) != len(found):
        raise WireError("a header stands twice")
    return headers


def parse_reply(line: bytes) -> Reply:
    """Read one reply line, with its line feed.

    Raises:
        WireError: it is none.

    """
    if line == _DONE_LINE:
        return _DONE
    match = _REPLY.fullmatch(line[:-1].decode("utf-8", "replace"))
    if match is None:
        raise WireError("not a reply line")
    code, separator, rest = int(match[1]), match[2], match[3]
    if code != 200:
        return Reply(code, more=separator == "-")
    result = _RESULT.match(rest)
    if result is None:
        raise WireError("a reply without a result")
    return Reply(code, result[1], result[2] or "")


def quote(argument: str) -> str:
    """Quote one argument of a command.

    Raises:
        WireError: a control character, which could begin a second command.

    """
    if not argument.isprintable():
        raise WireError("a control character in an argument")
    return '"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"'


def check_command(command: str) -> bytes:
    """Encode a command that is safe to send.

    Raises:
        WireError: a control character, or longer than Asterisk's buffer.

    """
    if not command.isprintable():
        raise WireError("a control character in a command")
    encoded = command.encode() + b"\n"
    if len(encoded) > COMMAND_BYTES_MAX:
        raise WireError("a command longer than Asterisk reads")
    return encoded
