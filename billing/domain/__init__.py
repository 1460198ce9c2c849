"""Pure rules of money: decisions without any I/O."""

from __future__ import annotations
