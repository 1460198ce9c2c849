"""Live calls: their states, their meter, their end and their recovery."""

from __future__ import annotations
