"""A file of usage is rated row by row; what is wrong spoils its own row only."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import batch
from billing.batch import BadRow, BatchRater, Summary
from billing.batch_prices import PriceVersion
from billing.clock import microseconds_of
from billing.domain.rating import RateTable, seconds_of
from billing.domain.tariffs import Period, RoundingRule, Tariff, Tax, Tier
from billing.errors import InvalidInput
from billing.money import Rounding, parse_amount

HEADER = b"id,tariff,seconds,started_at\n"
MILLION = 1_000_000
STANDARD = Tariff(
    name="standard",
    currency="USD",
    setup_fee=5 * MILLION,
    tiers=(
        Tier(from_seconds=0, price=500_000),
        Tier(from_seconds=1_200, price=250_000, increment_seconds=6),
    ),
    rounding=RoundingRule(method=Rounding.UP, decimals=4),
)
HOURLY = Tariff(
    name="hourly",
    currency="EUR",
    tiers=(Tier(from_seconds=0, price=60 * MILLION),),
    periods=(
        Period(
            days=frozenset(range(7)),
            from_minute=18 * 60,
            to_minute=0,
            tiers=(Tier(from_seconds=0, price=6 * MILLION),),
        ),
    ),
)
PRICES = {
    "standard": [PriceVersion(number=0, tariff=STANDARD)],
    "hourly": [PriceVersion(number=0, tariff=HOURLY)],
}


def rated(content: bytes, prices: Any = None) -> tuple[list[str], list[BadRow], Summary]:
    bad: list[BadRow] = []
    rater = BatchRater(io.BytesIO(content), prices or PRICES, bad=bad.append)
    text = rater.header() + "".join(rater.blocks())
    return text.splitlines(), bad, rater.summary


def test_a_row_is_copied_and_its_cost_is_added() -> None:
    lines, bad, summary = rated(HEADER + b"a,standard,1530,\n")

    assert lines == [
        "id,tariff,seconds,started_at,billed_seconds,cost,currency,tariff_version",
        "a,standard,1530,,1530,16.375,USD,0",
    ]
    assert (bad, summary.rows, summary.rated) == ([], 1, 1)


HOUR_50 = (Tier(from_seconds=0, price=50 * MILLION, per_seconds=3_600),)
HOUR_20 = (Tier(from_seconds=0, price=20 * MILLION, per_seconds=3_600),)
MINUTES = (Tier(from_seconds=0, price=500_000), Tier(from_seconds=1_200, price=250_000))
BY_60_60 = (Tier(from_seconds=0, price=600_000, increment_seconds=60),)
BY_30_6 = (
    Tier(from_seconds=0, price=600_000, increment_seconds=30),
    Tier(from_seconds=30, price=600_000, increment_seconds=6),
)


@pytest.mark.parametrize(
    ("tiers", "setup_fee", "seconds", "billed", "cost"),
    [
        (HOUR_50, 0, "3600", "3600", "50.00"),
        (HOUR_50, 0, "1", "1", "0.013889"),
        (MINUTES, 5 * MILLION, "0", "0", "0.00"),
        (MINUTES, 5 * MILLION, "1", "1", "5.008333"),
        (MINUTES, 5 * MILLION, "1200", "1200", "15.00"),
        (MINUTES, 5 * MILLION, "1530", "1530", "16.375"),
        (BY_60_60, 0, "60", "60", "0.60"),
        (BY_60_60, 0, "60.000001", "120", "1.20"),
        (BY_30_6, 0, "1", "30", "0.30"),
        (BY_30_6, 0, "30.2", "36", "0.36"),
        (BY_30_6, 0, "37", "42", "0.42"),
        # Ten calls at once, eight hours a day, 21 days; of this the provider has 30 %: 10,080.
        (HOUR_20, 0, "6048000", "6048000", "33600.00"),
    ],
)
def test_the_prices_that_the_product_names_come_out(
    tiers: tuple[Tier, ...], setup_fee: int, seconds: str, billed: str, cost: str
) -> None:
    tariff = Tariff(name="t", currency="USD", tiers=tiers, setup_fee=setup_fee)

    lines, _, _ = rated(
        HEADER + f"a,t,{seconds},\n".encode(), {"t": [PriceVersion(number=1, tariff=tariff)]}
    )

    assert lines[1] == f"a,t,{seconds},,{billed},{cost},USD,1"


def test_a_tax_that_is_added_is_in_the_cost() -> None:
    tax = Tax(name="VAT", basis_points=2_100)
    tariff = Tariff(name="t", currency="USD", tiers=BY_60_60, tax=tax)

    lines, _, summary = rated(HEADER + b"a,t,60,\n", {"t": [PriceVersion(number=1, tariff=tariff)]})

    assert lines[1] == "a,t,60,,60,0.726,USD,1"
    assert summary.totals["USD"].cost == 726_000


def test_columns_come_in_any_order_and_others_are_kept() -> None:
    lines, _, _ = rated(b"note,seconds,id,started_at,tariff\nhi,3.2,=1+1,,standard\n")

    assert lines[1] == "hi,3.2,=1+1,,standard,4,5.0334,USD,0"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@"])
def test_an_id_like_a_formula_is_copied_unchanged(sign: str) -> None:
    lines, _, _ = rated(HEADER + f"{sign}cmd,standard,0,\n".encode())

    assert lines[1] == f"{sign}cmd,standard,0,,0,0.00,USD,0"


def test_quoted_cells_a_mark_of_bytes_and_other_line_ends_are_read() -> None:
    lines, bad, _ = rated(
        b'\xef\xbb\xbfid,"tariff",seconds,started_at\r\n"a,""b""",standard,60,\r\nc,standard,60,\r\n'
    )

    assert not bad
    assert next(csv.reader([lines[1]]))[0] == 'a,"b"'
    assert lines[2] == "c,standard,60,,60,5.50,USD,0"


def test_a_price_by_the_hour_follows_the_start_and_the_zone() -> None:
    header = b"id,tariff,seconds,started_at,timezone\n"
    noon = b"2026-01-05T12:00:00+00:00"
    lines, bad, _ = rated(
        header + b"a,hourly,60," + noon + b",\nb,hourly,60," + noon + b",Asia/Tokyo\n"
        b"c,hourly,60,2026-01-05T17:59:30Z,UTC\n"
    )

    assert not bad
    assert [line.split(",")[6] for line in lines[1:]] == ["60.00", "6.00", "33.00"]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (b"a,standard,-1,", "seconds"),
        (b"a,standard,nan,", "seconds"),
        (b"a,standard,inf,", "seconds"),
        (b"a,standard,1e3,", "seconds"),
        (b"a,standard,,", "seconds"),
        (b"a,standard,99999999,", "seconds"),
        (b"a,standard," + b"9" * 5_000 + b",", "seconds"),
        ("a,standard,٣,".encode(), "seconds"),
        (b"a,nothing,1,", "tariff"),
        (b"a,,1,", "tariff"),
        (b"a,standard,1,yesterday", "started_at"),
        (b"a,standard,1,2026-01-05T12:00:00", "started_at"),
        (b"a,hourly,1,", "started_at"),
        (b"a,hourly,1,0001-01-01T00:00:00+14:00", "started_at"),
        (b"a,hourly,1,9999-12-31T23:59:59Z", "started_at"),
        (b"a,standard,1", "row"),
        (b"a,standard,1,,more", "row"),
        (b"", "row"),
        (b'"a,standard,1,', "row"),
        (b"a\0,standard,1,", "row"),
        (b"a\r,standard,1,", "row"),
        (b"\xe9,standard,1,", "row"),
        (b"a" * 70_000 + b",standard,1,", "row"),
        (("é" * 35_000 + ",standard,1,").encode(), "row"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wrong_row_is_named_and_its_neighbours_are_rated(row: bytes, column: str) -> None:
    # Rated before, so that the fast way is tried for it.
    lines, bad, summary = rated(HEADER + b"x,standard,1,\n" + row + b"\ny,standard,1,\n")

    assert [(item.line, item.column) for item in bad] == [(3, column)]
    assert len(bad[0].text) <= batch.SHOWN_MAX * 4
    assert [line.split(",")[0] for line in lines[1:]] == ["x", "y"]
    assert (summary.rows, summary.rated, summary.bad) == (3, 2, 1)


@pytest.mark.parametrize("zone", [b"Mars/Olympus", b"../etc/passwd", b"Europe", b"z" * 5_000])
def test_a_wrong_zone_is_named(zone: bytes) -> None:
    header = b"id,tariff,seconds,started_at,timezone\n"
    good = b"a,standard,1,,UTC\n"

    _, bad, _ = rated(header + good + b"b,standard,1,," + zone + b"\n" + good)

    assert [(item.line, item.column) for item in bad] == [(3, "timezone")]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"", "'id' is missing"),
        (b"id,tariff,seconds\n", "'started_at' is missing"),
        (b"id,id,tariff,seconds,started_at\n", "'id' is there twice"),
        (b"id,tariff,seconds,started_at,cost\n", "'cost' would be written over"),
        (b'"id,tariff,seconds,started_at\n', "no header can be read"),
        (b"\xff\xfe,tariff\n", "no header can be read"),
        (b"i" * 100_000, "a header longer"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_header_that_cannot_be_used_says_why(header: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        rated(header)


class Endless(io.RawIOBase):
    """Header, then one line of 100 MB, then a good row; never held as a whole."""

    def __init__(self) -> None:
        self.left = 100

    def readline(self, size: int | None = -1, /) -> bytes:
        return HEADER

    def read(self, size: int = -1, /) -> bytes:
        self.left -= 1
        if self.left > 0:
            return "é".encode() * (size // 2)
        return b"\ny,standard,1,\n" if self.left == 0 else b""


def test_a_line_without_an_end_takes_no_memory() -> None:
    bad: list[BadRow] = []
    rater: Any = BatchRater(Endless(), PRICES, bad=bad.append)  # type: ignore[arg-type]
    rater.header()

    lines = "".join(rater.blocks()).splitlines()

    assert [(item.line, item.column) for item in bad] == [(2, "row")]
    assert lines == ["y,standard,1,,1,5.0084,USD,0"]


def test_the_version_in_force_at_the_start_prices_the_row() -> None:
    first, second = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2))
    cheap = Tariff(name="t", currency="USD", tiers=(Tier(from_seconds=0, price=60),))
    dear = Tariff(name="t", currency="USD", tiers=(Tier(from_seconds=0, price=120),))
    prices = {
        "t": [
            PriceVersion(number=2, tariff=dear, in_force_us=microseconds_of(second)),
            PriceVersion(number=1, tariff=cheap, in_force_us=microseconds_of(first)),
        ]
    }

    lines, bad, _ = rated(
        HEADER + b"a,t,60,2026-01-31T23:59:59Z\nb,t,60,2026-02-01T00:00:00Z\n"
        b"c,t,60,2025-12-31T23:59:59Z\nd,t,60,\n",
        prices,
    )

    assert [line.rsplit(",", 4)[1:] for line in lines[1:]] == [
        ["60", "0.00006", "USD", "1"],
        ["60", "0.00012", "USD", "2"],
    ]
    assert [(item.line, item.column) for item in bad] == [(4, "started_at"), (5, "started_at")]


FULL = Tariff(
    name="full",
    currency="EUR",
    setup_fee=MILLION,
    minimum_seconds=45,
    free_seconds=20,
    tiers=(
        Tier(from_seconds=0, price=600_000, increment_seconds=60),
        Tier(from_seconds=90, price=70_000, per_seconds=7, increment_seconds=7),
    ),
    periods=(
        Period(
            days=frozenset(range(5)),
            from_minute=18 * 60 + 17,
            to_minute=8 * 60,
            tiers=(Tier(from_seconds=0, price=50_000, increment_seconds=30),),
        ),
    ),
)


@given(
    starts=st.lists(
        st.tuples(
            st.datetimes(datetime(2025, 12, 1), datetime(2026, 12, 1)),  # noqa: DTZ001 - UTC below
            st.one_of(st.integers(0, 8_000), st.integers(0, 300_000)),
            st.sampled_from(["Europe/Vilnius", "Asia/Kathmandu", "Australia/Lord_Howe"]),
        ),
        max_size=20,
    )
)
def test_prices_by_the_hour_are_those_of_a_table_for_each_talk(
    starts: list[tuple[datetime, int, str]],
) -> None:
    header = b"id,tariff,seconds,started_at,timezone\n"
    talks = [(start.replace(tzinfo=UTC), seconds, zone) for start, seconds, zone in starts]
    rows = "".join(
        f"a,full,{seconds},{start.isoformat()},{zone}\n" for start, seconds, zone in talks
    )

    lines, bad, _ = rated(header + rows.encode(), {"full": [PriceVersion(number=0, tariff=FULL)]})

    assert not bad
    charges = [
        RateTable.compile(FULL, started_at=start, timezone=zone).charge(seconds)
        for start, seconds, zone in talks
    ]
    found = [line.split(",")[5:7] for line in lines[1:]]
    assert [(int(billed), parse_amount(cost)) for billed, cost in found] == [
        (charge.billed_seconds, charge.cost) for charge in charges
    ]


@given(
    talks=st.lists(st.tuples(st.sampled_from(["standard", "hourly"]), st.integers(0, 7_200_000))),
    quoted=st.booleans(),
    memo=st.integers(1, 5),
    block=st.integers(1, 200),
)
def test_the_total_is_the_sum_of_the_costs(
    *, talks: list[tuple[str, int]], quoted: bool, memo: int, block: int
) -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    tables = {
        "standard": RateTable.compile(STANDARD),
        "hourly": RateTable.compile(HOURLY, started_at=noon),
    }
    name = '"a"' if quoted else "a"
    rows = "".join(
        f"{name},{tariff},{ms // 1000}.{ms % 1000:03d},{noon.isoformat()}\n" for tariff, ms in talks
    )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "MEMO_MAX", memo)
        patch.setattr(batch, "BLOCK_BYTES", block)
        lines, bad, summary = rated(HEADER + rows.encode())

    costs = [tables[tariff].cost(seconds_of(ms * 1000)) for tariff, ms in talks]
    assert not bad
    assert [parse_amount(line.split(",")[5]) for line in lines[1:]] == costs
    assert sum(total.cost for total in summary.totals.values()) == sum(costs)
    assert sum(total.rows for total in summary.totals.values()) == len(talks)
    assert summary.rows == len(talks)
