"""Alarms are found purely, from rows: what is usual opens none, what is not opens one each."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from billing.money import MICROS_PER_UNIT
from ivr.alarms import findings
from ivr.alarms.findings import CallerCalls, Condition, Revenue, Spending, TalkShape
from ivr.alarms.watch import OF_ALL, OF_NODE
from ivr.directory.fraud_limits import BOUNDS, DEFAULTS, FraudLimits
from ivr.web.alarm_words import KINDS

UNIT = MICROS_PER_UNIT


def rang(caller: str, calls: int, *, client: str = "acme") -> CallerCalls:
    return CallerCalls(
        caller=caller, did="18005550100", client=client, calls=calls, talk_seconds=60
    )


def test_a_number_that_rings_a_line_all_the_time_is_found():
    found = findings.pumping([rang("15551230001", 15), rang("15551230002", 14)], DEFAULTS)

    assert [(one.kind, one.subject) for one in found] == [
        ("pumping_number", "15551230001>18005550100")
    ]
    assert found[0].severity == "bad"


def test_numbers_that_begin_alike_are_found_together_and_for_one_client_only():
    group = [rang(f"155512300{number:02d}", 12) for number in range(6)]
    others = [rang(f"155599900{number:02d}", 12, client=f"c{number}") for number in range(6)]

    found = findings.pumping([*group, *others], DEFAULTS)

    assert [(one.kind, one.subject) for one in found] == [("pumping_prefix", "1555123>acme")]
    assert found[0].facts["calls"] == 72


def test_two_busy_numbers_are_no_group():
    rows = [rang("15551230001", 40), rang("15551230002", 40)]

    found = findings.pumping(rows, replace(DEFAULTS, pumping_calls=None))

    assert not found


@pytest.mark.parametrize(
    ("long", "short", "kinds"),
    [
        (3, 0, ["long_talks"]),
        (0, 6, ["short_talks"]),
        (2, 5, []),
        (3, 6, ["long_talks", "short_talks"]),
    ],
)
def test_many_odd_talks_are_found_by_their_share(long: int, short: int, kinds: list[str]):
    found = findings.odd_talks(
        [TalkShape(client="acme", talks=10, long=long, short=short)], DEFAULTS
    )

    assert [one.kind for one in found] == kinds


def test_a_share_of_few_talks_is_chance():
    assert not findings.odd_talks([TalkShape(client="a", talks=9, long=9, short=9)], DEFAULTS)


def test_a_client_that_earns_five_times_the_usual_hour_is_found():
    usual = Revenue(client="acme", currency="USD", hour=50 * UNIT, week=168 * 10 * UNIT)

    found = findings.revenue([usual, replace(usual, hour=49 * UNIT, client="b")], DEFAULTS)

    assert [one.client for one in found] == ["acme"]
    assert found[0].facts == {"hour": "50.00", "usual": "10.00", "currency": "USD"}


def test_a_client_without_a_week_and_one_with_small_change_are_not():
    new = Revenue(client="new", currency="USD", hour=500 * UNIT, week=0)
    small = Revenue(client="small", currency="USD", hour=UNIT, week=UNIT)

    assert not findings.revenue([new, small], DEFAULTS)


def test_an_account_that_spends_ten_times_its_usual_day_is_found():
    row = Spending(account="bob", currency="USD", today=30 * UNIT, before=9 * UNIT, days=3)

    found = findings.spending(
        [row, replace(row, today=29 * UNIT), replace(row, days=0, before=0)], DEFAULTS
    )

    assert [one.subject for one in found] == ["bob:USD"]
    assert found[0].facts["usual"] == "3.00"


def test_many_locks_are_a_warning_and_a_locked_line_is_worse():
    assert not findings.pins({"account": 9}, DEFAULTS)
    assert findings.pins({"account": 6, "caller": 4}, DEFAULTS)[0].severity == "warn"
    assert findings.pins({"line": 1}, DEFAULTS)[0].severity == "bad"


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (Condition(node="n", link_down_seconds=15), "link_down"),
        (Condition(node="n", journal_waiting=1, journal_seconds=60), "journal"),
        (Condition(node="n", webhooks_late=20), "webhooks"),
        (Condition(node="n", disk_percent=90), "disk"),
        (Condition(node="n", drift_seconds=-2.5), "clock"),
    ],
)
def test_what_is_wrong_with_the_machine_is_found(state: Condition, kind: str):
    assert [one.kind for one in findings.condition(state, DEFAULTS)] == [kind]


def test_a_machine_that_is_well_opens_none():
    well = Condition(
        node="n", journal_waiting=3, journal_seconds=5, webhooks_late=3, disk_percent=50,
        drift_seconds=0.1,
    )  # fmt: skip

    assert not findings.condition(well, DEFAULTS)


def test_without_limits_only_what_is_broken_is_found():
    none = FraudLimits(**dict.fromkeys(BOUNDS, None))
    shape = TalkShape(client="a", talks=99, long=99, short=99)
    money = Revenue(client="a", currency="USD", hour=UNIT * 999, week=1)
    spent = Spending(account="b", currency="USD", today=UNIT * 999, before=1, days=1)

    assert not findings.pumping([rang("15551230001", 999)], none)
    assert not findings.odd_talks([shape], none)
    assert not findings.revenue([money], none)
    assert not findings.spending([spent], none)
    assert not findings.pins({"line": 9}, none)


def test_every_limit_has_bounds_and_every_kind_has_words_and_an_owner():
    assert {one.name for one in fields(FraudLimits)} == set(BOUNDS)
    assert {*OF_ALL, *OF_NODE} == KINDS
