"""Commands that need a running service, and what `serve` says when Asterisk does not let it in."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from decimal import Decimal

import pytest

from tests.e2e.harness import ALICE, DID, ROOT, SECURE_DID, STRANGER, Line

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(90)]


async def talkmeter(line: Line, *arguments: str, **settings: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ivr", *arguments,
        cwd=ROOT,
        env=line.environment | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_a_call_from_the_command_line_is_real_and_costs_what_its_quote_says(
    line: Line,
) -> None:
    code, out, err = await talkmeter(
        line, "call", "--did", DID, "--from", ALICE, "--press", "0", "--talk", "2", "--json"
    )
    assert (code, err) == (0, "")
    call = json.loads(out)
    _, quoted, _ = await talkmeter(
        line, "quote", "--tariff", call["tariff"], "--seconds", str(call["talk_seconds"]), "--json"
    )

    record = await line.ended(call["call_id"])
    assert call["cost"] == json.loads(quoted)["cost"]
    assert call["talk_seconds"] == pytest.approx(line.cel(record), abs=0.05)
    assert sum(float(part["amount"]) for part in call["split"]) == pytest.approx(
        float(call["cost"])
    )
    assert call["end_reason"] == "caller_hung_up"


async def test_a_call_is_explained_line_by_line_and_refunded(line: Line) -> None:
    _, out, _ = await talkmeter(
        line, "call", "--did", DID, "--from", ALICE, "--press", "0", "--talk", "1", "--json"
    )
    call = json.loads(out)
    refund = ("calls", "refund", call["call_id"], "--reason", "bad line", "--key", "k", "--json")
    code, given, _ = await talkmeter(line, *refund)
    _, again, _ = await talkmeter(line, *refund)
    _, shown, _ = await talkmeter(line, "calls", "show", call["call_id"], "--json")
    _, read, _ = await talkmeter(line, "calls", "show", call["call_id"])

    assert code == 0
    assert json.loads(given)["amount"] == call["cost"]
    assert json.loads(again)["replayed"] is True
    document = json.loads(shown)
    assert sum(Decimal(each["amount"]) for each in document["lines"]) == Decimal(call["cost"])
    assert [each["reason"] for each in document["refunds"]] == ["bad line"]
    assert document["lines"][-1]["label"] in read


async def test_the_command_line_keys_in_account_number_and_pin(line: Line) -> None:
    code, out, _ = await talkmeter(
        line, "call", "--did", SECURE_DID, "--from", STRANGER, "--account", "100001",
        "--pin", "471100", "--press", "0", "--talk", "1", "--json",
    )  # fmt: skip

    assert code == 0
    assert json.loads(out)["account"] == "alice"


async def test_a_live_call_is_listed_and_hung_up_from_the_command_line(line: Line) -> None:
    async with line.phone(ALICE) as phone:
        await phone.call(DID)
        await line.state("choosing")
        await phone.press("0")
        await line.state("talking")
        call_id = await line.only_call()

        code, _, _ = await talkmeter(line, "calls", "hangup", call_id)
        async with asyncio.timeout(20):
            await phone.ended.wait()

    assert code == 0
    assert (await line.ended(call_id)).end_reason == "operator_hung_up"
    again, _, err = await talkmeter(line, "calls", "hangup", call_id)
    assert again == 1
    assert "is not live" in err
    _, out, _ = await talkmeter(line, "reconcile", "--json")
    assert json.loads(out)["compared"] == 1


async def test_a_wrong_manager_password_is_one_sentence(line: Line) -> None:
    await line.stop()

    code, _, err = await talkmeter(
        line, "serve", TALKMETER_AMI_SECRET="wrong", TALKMETER_LOG_LEVEL="error"
    )

    assert code == 1
    assert "Asterisk refuses the manager login" in err
    assert "Traceback" not in err
    assert "wrong" not in err
