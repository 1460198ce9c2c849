"""FastAGI: the wire without I/O, the listener, and typed verbs for the flows."""

from __future__ import annotations
