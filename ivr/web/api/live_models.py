"""What the API reads and writes of operations: live calls, queues, limits, alarms."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ivr.web.api.models import Money, Output
from ivr.web.fields import Input, Line


class NewExtension(Input):
    """More talk for a live call. The header Idempotency-Key makes it safe to send again."""

    minutes: Annotated[int, Field(ge=1, le=60)]
    reason: Annotated[Line, Field(min_length=1)]


class Extended(Output):
    """The call ends after so much talk now; `amount` is what the provider gave for that."""

    call_id: str
    minutes: int
    ends_after_seconds: int
    amount: Money
    currency: str
