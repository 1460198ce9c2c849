"""The days that a report is about."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from pydantic import Field

from billing.reports import Span
from ivr.web.fields import Day, Input
from ivr.web.problems import wrong_fields

DAYS_MAX: Final = 366


class PeriodQuery(Input):
    """Whole days in UTC, both included; this month so far when none are named."""

    first: Day | None = Field(None, alias="from", description="The first day, UTC.")
    last: Day | None = Field(None, alias="to", description="The last day, UTC, included.")

    def span(self, today: date) -> Span:
        """Return the days.

        Raises:
            Refusal: the last is before the first, or they are too many.

        """
        last = self.last or max(today, self.first or today)
        first = self.first or last.replace(day=1)
        if last < first:
            raise wrong_fields({"to": "The last day is before the first."})
        if last - first >= timedelta(days=DAYS_MAX):
            raise wrong_fields({"to": f"A report covers at most {DAYS_MAX} days."})
        return Span(first=first, last=last)
