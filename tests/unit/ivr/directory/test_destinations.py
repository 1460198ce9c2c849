"""Destinations that may be written down, and phones that are never dialled."""

from __future__ import annotations

import pytest

from billing.errors import InvalidInput
from ivr.directory.destinations import Destination, country_of, destination


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+12025550199", "US"),
        ("+4915112345678", "DE"),
        ("+37052190000", "LT"),
        ("+18005551234", "US"),
    ],
)
def test_an_ordinary_line_has_a_country(number: str, country: str) -> None:
    assert country_of(number) == country
    assert destination(f"phone:{number}") == Destination(kind="phone", target=number)


@pytest.mark.parametrize(
    "number",
    ["+19005550123", "+33899123456", "+882161234567", "+1555123", "+449098765432", "+112", "+1911"],
    ids=["premium US", "premium FR", "satellite", "too short", "premium GB", "emergency", "911"],
)
def test_premium_satellite_short_and_emergency_numbers_are_refused(number: str) -> None:
    assert country_of(number) is None
    with pytest.raises(InvalidInput):
        destination(f"phone:{number}")


@pytest.mark.parametrize(
    "text",
    ["phone:12025550199", "phone:+1202555o199", "sip:a@b,20,U(x)", "voicemail:../x", "fax:+1", ""],
)
def test_what_is_no_destination_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        destination(text)
