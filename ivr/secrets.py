"""Secrets are made at first start and kept in files that only their owner may read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

SECRET_BYTES: Final = 32
FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700


def read_or_make(path: Path) -> str:
    """Return the secret kept in this file; the first reader makes it.

    Two processes that start at once agree: whoever links its file first has made the secret.
    """
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        if not path.exists():
            write(fresh, secrets.token_hex(SECRET_BYTES))
            try:
                os.link(fresh, path)
            except FileExistsError:
                return path.read_text(encoding="ascii").strip()
        return path.read_text(encoding="ascii").strip()
    finally:
        fresh.unlink(missing_ok=True)


def write(path: Path, secret: str) -> None:
    """Write a secret so that only its owner can ever have read it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), FILE_MODE)
        file.write(secret + "\n")
