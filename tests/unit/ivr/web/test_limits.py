"""Limits on tries: counted before the check, given back after success, never more than so many."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing.clock import ManualClock
from ivr.web import limits
from ivr.web.limits import Limiter, buckets, device_cookie, known_device, network

KEY = b"k" * 32


def make() -> tuple[Limiter, ManualClock]:
    clock = ManualClock(datetime(2026, 3, 4, tzinfo=UTC))
    return Limiter(clock), clock


def test_tries_side_by_side_are_no_way_around_a_limit():
    limiter, _ = make()

    waits = [limiter.take({"a": 3}) for _ in range(5)]

    assert waits == [0, 0, 0, 900, 900]


def test_a_try_that_succeeded_does_not_count():
    limiter, _ = make()

    for _ in range(10):
        assert limiter.take({"a": 1}) == 0
        limiter.give_back({"a": 1})


def test_a_window_ends():
    limiter, clock = make()
    limiter.take({"a": 1})

    clock.advance(limits.WINDOW_SECONDS - 1)
    before = limiter.take({"a": 1})
    clock.advance(1)
    after = limiter.take({"a": 1})

    assert (before, after) == (1, 0)


def test_a_refused_try_is_counted_nowhere():
    limiter, _ = make()
    limiter.take({"full": 1})

    for _ in range(5):
        limiter.take({"full": 1, "other": 2})

    assert limiter.take({"other": 2}) == 0


def test_the_map_stays_bounded():
    limiter, _ = make()

    for number in range(limits.BUCKETS_MAX + 100):
        limiter.take({f"address:{number}": 1})

    assert len(limiter._buckets) == limits.BUCKETS_MAX


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "20010db800010002/64"),
        ("2001:db8:1:2:bbbb::9", "20010db800010002/64"),
        ("not an address", "unknown"),
    ],
)
def test_one_attacker_is_one_network(address: str, place: str):
    assert network(address) == place


def test_a_known_device_counts_only_against_itself():
    cookie = device_cookie("olga", key=KEY)
    device = known_device(cookie, "olga", key=KEY)

    assert device is not None
    assert list(buckets(login="olga", address="192.0.2.7", device=device)) == [f"device:{device}"]


@pytest.mark.parametrize("cookie", [None, "", ".", "x.y", "a" * 32 + "." + "b" * 64, "\udcff"])
def test_a_made_up_device_is_unknown(cookie: str | None):
    assert known_device(cookie, "olga", key=KEY) is None


def test_a_device_is_known_for_its_own_login_only():
    cookie = device_cookie("mallory", key=KEY)

    assert known_device(cookie, "olga", key=KEY) is None
