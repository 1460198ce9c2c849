"""Benchmarks: each figure beside its floor, measured in the same run. `make bench` runs them."""

from __future__ import annotations
