"""Agreements on the command line, through the installed entry point and a real database."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.test_command_line import talkmeter
from tests.migrated import DEMO, demo_state

SPLIT = "    split: {provider: 30%, client: 70%}\n"
MORE = (
    '    fixed_fee: "0.05"\n'
    "    referrers: {partner-a: {commission: 10%, from: 2026-01-01, bonus: 25}}\n"
)


def test_a_changed_agreement_is_shown_beside_the_one_before(tmp_path: Path) -> None:
    demo_state(tmp_path)
    text = DEMO.read_text(encoding="utf-8")
    changed = tmp_path / "changed.yaml"
    changed.write_text(text.replace(SPLIT, SPLIT + MORE), encoding="utf-8")
    dearer = tmp_path / "dearer.yaml"
    dearer.write_text(changed.read_text(encoding="utf-8").replace("bonus: 25", "bonus: 26"))

    applied = talkmeter(tmp_path, "catalog", "apply", str(changed), "--json")
    refused = talkmeter(tmp_path, "catalog", "apply", str(dearer))
    shown = talkmeter(tmp_path, "catalog", "agreements", "acme", "--json")
    people = talkmeter(tmp_path, "catalog", "agreements", "acme")
    nobody = talkmeter(tmp_path, "catalog", "agreements", "nobody")
    proved = talkmeter(tmp_path, "verify")

    assert json.loads(applied.stdout)["created"] == ["bonus of partner-a"]
    assert json.loads(applied.stdout)["changed"] == ["client acme"]
    assert refused.returncode == 1
    assert "partner-a got a bonus of 25.00 already; nothing was applied" in refused.stderr
    first, second = json.loads(shown.stdout)
    assert (first["version"], first["fixed_fee"], first["referrers"]) == (1, None, [])
    assert (second["version"], second["fixed_fee"]) == (2, "0.05")
    (referrer,) = second["referrers"]
    assert referrer["until"].startswith("2027-01-01T00:00:00")
    assert (referrer["commission"], referrer["bonus"]) == ("10%", "25.00")
    assert "referrer:partner-a 10% of the provider's share from 2026-01-01" in people.stdout
    assert nobody.returncode == 1
    assert "there is no client 'nobody'" in nobody.stderr
    assert proved.returncode == 0
