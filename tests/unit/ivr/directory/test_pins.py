"""A PIN is right or wrong; its hash says nothing without the key."""

from __future__ import annotations

from ivr.directory.pins import hash_pin, verify_pin

KEY = b"key of this installation"


def test_the_right_pin_is_right_and_another_is_not() -> None:
    stored = hash_pin("4711", key=KEY)

    assert verify_pin(stored, "4711", key=KEY)
    assert not verify_pin(stored, "4712", key=KEY)


def test_without_the_key_even_the_right_pin_is_wrong() -> None:
    assert not verify_pin(hash_pin("4711", key=KEY), "4711", key=b"another")


def test_nobody_has_no_right_pin() -> None:
    assert not verify_pin(None, "4711", key=KEY)


def test_equal_pins_have_different_hashes_that_do_not_show_them() -> None:
    first, second = hash_pin("4711", key=KEY), hash_pin("4711", key=KEY)

    assert first != second
    assert "4711" not in first.split("$")
