"""Included seconds are taken in whole increments."""

from __future__ import annotations

import pytest

from billing.domain.allowances import Taken, take


@pytest.mark.parametrize(
    ("seconds", "included", "increment", "taken"),
    [
        (5, 40, 20, (20, 20, 0)),
        (0, 40, 20, (0, 40, 0)),
        (20, 40, 20, (20, 20, 0)),
        (21, 40, 20, (40, 0, 0)),
        (50, 40, 20, (40, 0, 10)),
        (5, 12, 20, (12, 0, 0)),
        (15, 12, 20, (12, 0, 3)),
        (5, 0, 20, (0, 0, 5)),
        (7, 10, 1, (7, 3, 0)),
    ],
)
def test_a_talk_takes_what_is_there(
    seconds: int, included: int, increment: int, taken: tuple[int, int, int]
) -> None:
    used, left, payable = taken

    found = take(seconds, included_seconds=included, increment_seconds=increment)

    assert found == Taken(used_seconds=used, left_seconds=left, payable_seconds=payable)
