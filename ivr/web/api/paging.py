"""A page of a list: where it begins, how many rows it takes, where the next one begins.

A handler asks for `reach` rows after `place`, one more than it shows: the last of them only tells
that there is another page. Places are of keys, so they stay right while rows are added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, overload

from ivr.web.fields import PAGE_SIZE, Cursor, Input, PageSize, read_cursor, write_cursor

Row = TypeVar("Row")
First = TypeVar("First", int, str)
Second = TypeVar("Second", int, str)
Third = TypeVar("Third", int, str)


class PageQuery(Input):
    """Paging: `after` is the `next` of the page before."""

    limit: PageSize = PAGE_SIZE
    after: Cursor = ""

    @property
    def reach(self) -> int:
        """How many rows are read."""
        return self.limit + 1

    @overload
    def place(self, first: type[First], /) -> First | None: ...

    @overload
    def place(self, first: type[First], second: type[Second], /) -> tuple[First, Second] | None: ...

    @overload
    def place(
        self, first: type[First], second: type[Second], third: type[Third], /
    ) -> tuple[First, Second, Third] | None: ...

    def place(self, *kinds: type) -> object:
        """Read where the page before ended: its one part, or all of them; None at the beginning.

        Raises:
            Refusal: it is not written by us.

        """
        found = read_cursor(self.after, *kinds)
        if found is None:
            return None
        return found[0] if len(kinds) == 1 else tuple(found)

    def cut(
        self, found: Sequence[Row], place: Callable[[Row], int | str | tuple[int | str, ...]]
    ) -> tuple[Sequence[Row], str | None]:
        """Take the page out of what was found; the second is its `next`."""
        page = found[: self.limit]
        if len(page) == len(found):
            return page, None
        last = place(page[-1])
        return page, write_cursor(*last) if isinstance(last, tuple) else write_cursor(last)
