"""What everybody tries first is refused, however it is dressed up; what nobody tries is not."""

from __future__ import annotations

import pytest

from ivr.web.common_passwords import is_common
from ivr.web.passwords import generate


@pytest.mark.parametrize(
    "password",
    [
        "password1234", "P@ssw0rd-2024!", "123456789012", "111111111111", "qwertyuiop123",
        "iloveyou12345", "Summer2024!!!", "letmein-letmein", "adminadmin123", "Welcome_2025_!",
        "abcabcabcabc", "Passwort12345", "1q2w3e4r5t6y" * 2, "Michael1985!!", "talkmeter-admin-1",
        "monkeydragon99", "2024-12-31-2024", "qwerty-asdfgh-zxcvbn", "football!football",
    ],
)  # fmt: skip
def test_what_everybody_tries_first_is_refused(password: str):
    assert is_common(password)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery", "vivid lantern quarrel", "Tr7#kqLp09_vXz", "zebra-mirth-calk-ton",
        "the first password 1", "übermäßig schöne Wörter", "9f8e2c71d0ab4c55",
    ],
)  # fmt: skip
def test_what_nobody_tries_first_is_taken(password: str):
    assert not is_common(password)


def test_no_generated_password_is_refused():
    assert not [password for password in (generate() for _ in range(300)) if is_common(password)]
