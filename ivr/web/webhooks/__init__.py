"""Webhooks of clients: what happened is told to their own servers, signed and again until heard."""

from __future__ import annotations
