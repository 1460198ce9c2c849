"""A private Asterisk on loopback: fetched, configured, started; a phone and a caller for it."""

from __future__ import annotations
