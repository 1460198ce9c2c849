"""Processors of cards: the port, the one adapter, and the job that asks them."""

from __future__ import annotations
