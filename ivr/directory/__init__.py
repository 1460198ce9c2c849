"""Who can be called, about what, by whom: DIDs, topics, destinations, phones, prices in force."""

from __future__ import annotations
