"""The month that `talkmeter run` makes up: booked like any other, and proved."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from sqlalchemy import func, select

from billing.audit import verify as verify_ledger
from ivr.calls.audit import verify as verify_calls
from ivr.cli.demo_data import fill
from ivr.launch import launched
from ivr.sandbox.configure import free_port
from ivr.sandbox.fetch import AsteriskMissing, ensure
from ivr.settings import Settings, SettingsError
from ivr.tables import calls
from tests.e2e.sipp import free_udp_port

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(90)]


async def test_a_made_up_month_is_booked_once_and_holds_every_invariant(tmp_path: Path) -> None:
    try:
        ensure(lambda _step: None)
    except AsteriskMissing as error:
        pytest.skip(str(error))
    settings = Settings(
        state_dir=tmp_path / "state", sip_port=free_udp_port(), agi_port=free_port(),
        web_port=free_port(),
    )  # fmt: skip

    async with launched(settings, lambda _step: None, first_start=True) as service:
        made, again = await fill(service), await fill(service)
        engine = service.books.engine
        async with engine.connect() as connection:
            stored = await connection.scalar(select(func.count()).select_from(calls))
        checks = [*await verify_ledger(engine), *await verify_calls(engine)]

    assert made == stored
    assert made > 30
    assert again == 0
    assert [check for check in checks if not check.ok] == []


async def test_a_start_that_fails_leaves_no_asterisk_behind(tmp_path: Path) -> None:
    try:
        ensure(lambda _step: None)
    except AsteriskMissing as error:
        pytest.skip(str(error))
    settings = Settings(
        state_dir=tmp_path / "state", sip_port=free_udp_port(), agi_port=free_port(),
        web_port=free_port(),
    )  # fmt: skip

    with pytest.raises(SettingsError, match="empty"):
        async with launched(settings, lambda _step: None):
            pass

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", settings.sip_port))
