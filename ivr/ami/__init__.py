"""AMI: frozen events, the link with its deadlines, the switch for the calls, and the CEL file."""

from __future__ import annotations
