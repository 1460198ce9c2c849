"""Pages of callers."""

from __future__ import annotations
