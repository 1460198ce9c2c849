"""Files that commands write."""

from __future__ import annotations

from pathlib import Path

from ivr.cli import context


def write_document(path: Path, content: bytes) -> None:
    """Write a document; what cannot be written is said in one sentence."""
    try:
        path.write_bytes(content)
    except OSError as error:
        context.fail(f"{path} cannot be written: {error.strerror}")
