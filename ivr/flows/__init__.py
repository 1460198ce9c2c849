"""What the caller hears, readable top to bottom."""

from __future__ import annotations
