"""The read side of the web: straight SQL to rows, every query under a `Scope`."""

from __future__ import annotations
