"""What somebody should look at: found each minute, kept until it is over."""

from __future__ import annotations
