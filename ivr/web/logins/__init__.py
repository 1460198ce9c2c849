"""Logins as things that operators and companies manage: rights, state, passwords, sessions."""

from __future__ import annotations
