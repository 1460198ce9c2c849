"""The JSON API, version 1: a table of operations, their models and their document."""

from __future__ import annotations
