"""One-time codes against the test vectors of RFC 6238 and RFC 4226, and the sealed secret."""

from __future__ import annotations

import pytest

from billing.clock import MICROSECONDS
from ivr.web.factor import totp

RFC_SECRET = b"12345678901234567890"
KEY = b"k" * 32


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ],
)
def test_codes_are_those_of_rfc_6238(seconds: int, code: str):
    step = totp.step_of(seconds * MICROSECONDS)

    assert totp.code_at(RFC_SECRET, step, digits=8) == code
    assert totp.code_at(RFC_SECRET, step) == code[-6:]


def test_codes_are_those_of_rfc_4226():
    codes = [totp.code_at(RFC_SECRET, count) for count in range(10)]

    assert codes == [
        "755224", "287082", "359152", "969429", "338314",
        "254676", "287922", "162583", "399871", "520489",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("steps_off", "fits"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_a_clock_may_be_one_step_off(steps_off: int, *, fits: bool):
    now_us = 1_234_567_890 * MICROSECONDS
    step = totp.step_of(now_us) + steps_off

    found = totp.matching_step(RFC_SECRET, totp.code_at(RFC_SECRET, step), now_us=now_us)

    assert found == (step if fits else None)


@pytest.mark.parametrize("code", ["", "00592", "0059240", "\udcff", "٠٠٥٩٢٤"])
def test_what_is_no_code_is_wrong(code: str):
    assert totp.matching_step(RFC_SECRET, code, now_us=1_234_567_890 * MICROSECONDS) is None


def test_the_secret_is_written_in_groups_of_four_and_as_a_link():
    assert totp.written(RFC_SECRET) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
    assert totp.link(RFC_SECRET, "rita@example.org") == (
        "otpauth://totp/Talkmeter%3Arita%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        "&issuer=Talkmeter&algorithm=SHA1&digits=6&period=30"
    )


def test_a_sealed_secret_is_opened_by_its_key_for_its_user_alone():
    secret = totp.new_secret()
    sealed = totp.seal(secret, key=KEY, user_id=7)
    changed = sealed[:-4] + ("AAA=" if sealed[-4:] != "AAA=" else "BBA=")

    assert totp.unseal(sealed, key=KEY, user_id=7) == secret
    assert totp.unseal(sealed, key=b"x" * 32, user_id=7) is None
    assert totp.unseal(sealed, key=KEY, user_id=8) is None
    assert totp.unseal(changed, key=KEY, user_id=7) is None
    assert totp.unseal("no base64 at all", key=KEY, user_id=7) is None
    assert totp.seal(secret, key=KEY, user_id=7) != sealed
