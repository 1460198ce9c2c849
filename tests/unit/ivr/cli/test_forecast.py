"""The calculators as users see them: the numbers of the product, mistakes, picture, alarms."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[4]
CATALOGS = ROOT / "tests" / "catalogs"
RULES = ROOT / "ivr" / "guardrails.rules.yml"

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing: apt-get install prometheus"
)


def forecast(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ivr", "forecast", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_support_line_earns_what_the_product_says() -> None:
    done = forecast(str(CATALOGS / "roi.yaml"), "--json")

    assert json.loads(done.stdout) == {
        "kind": "roi", "currency": "USD", "per_hour": "6.00", "per_minute": "0.10",
        "hours_per_month": "1680", "per_month": "10080.00", "did_fees": "0.00",
        "client_fees": "0.00", "total": "10080.00",
    }  # fmt: skip


def test_fees_come_on_top(tmp_path: Path) -> None:
    text = (CATALOGS / "roi.yaml").read_text(encoding="utf-8")
    file = tmp_path / "roi.yaml"
    file.write_text(
        text.replace("monthly_fee_per_did: 0.00", "monthly_fee_per_did: 15.00")
        .replace("dids: 1", "dids: 4")
        .replace("standard_fee_per_client: 0.00", "standard_fee_per_client: 99.50"),
        encoding="utf-8",
    )

    document = json.loads(forecast(str(file), "--json").stdout)

    assert (document["did_fees"], document["client_fees"]) == ("60.00", "99.50")
    assert document["total"] == "10239.50"


def test_the_margin_of_the_base_scenario_is_counted_by_hand() -> None:
    document = json.loads(forecast(str(CATALOGS / "margin.yaml"), "--json").stdout)

    base, conservative, optimistic = document["scenarios"]
    starter = base["plans"][0]
    # 800 x 49; 160 tenants x 10,000 beyond x 0.0015 x 1.30 x 0.98
    assert (starter["base"], starter["overage"]) == ("39200.00", "3057.60")
    # 560 x 40,000 x 0.00035 + 160 x 60,000 x 0.00048 + 80 x 50,000 x 0.00042
    assert starter["cost"] == "14128.00"
    assert starter["gross_margin_percent"] == "66.6"
    assert (base["overall"]["revenue"], base["overall"]["cost"]) == ("210466.00", "64248.00")
    assert base["operating_margin"] == "61218.00"
    assert [one["overall"]["below_least"] for one in (base, conservative, optimistic)] == [
        False, True, False,
    ]  # fmt: skip


def test_every_mistake_is_named_with_file_line_and_field(tmp_path: Path) -> None:
    file = tmp_path / "roi.yaml"
    file.write_text("kind: roi\ncurrency: usd\nconcurrent_calls: many\n", encoding="utf-8")

    done = forecast(str(file), "--json")

    assert done.returncode == 1
    assert f"{file}:2" in done.stderr
    assert "concurrent_calls" in done.stderr
    assert "hours_per_day" in done.stderr
    assert not done.stdout


def test_the_picture_is_a_well_formed_svg(tmp_path: Path) -> None:
    chart = tmp_path / "margin.svg"

    done = forecast(str(CATALOGS / "margin.yaml"), "--chart", str(chart))

    assert done.returncode == 0
    assert ET.fromstring(chart.read_text(encoding="utf-8")).tag.endswith("svg")


@needs_promtool
def test_prometheus_reads_the_metrics_and_the_rules() -> None:
    metrics = forecast(str(CATALOGS / "margin.yaml"), "--metrics").stdout

    read = subprocess.run(
        ["promtool", "check", "metrics"], input=metrics, text=True, capture_output=True, check=False
    )
    rules = subprocess.run(
        ["promtool", "check", "rules", str(RULES)], text=True, capture_output=True, check=False
    )

    assert read.returncode == 0, read.stderr
    assert rules.returncode == 0, rules.stdout + rules.stderr
    assert 'talkmeter_gross_margin_ratio{scenario="base",plan="pro"} 0.72' in metrics


@needs_promtool
def test_the_alarms_go_off_at_the_guardrails(tmp_path: Path) -> None:
    series = "talkmeter_gross_margin_ratio"
    overall, pro, starter = (f'{series}{{scenario="base",plan="{name}"}}' for name in (
        "overall", "pro", "starter"
    ))  # fmt: skip
    test = tmp_path / "guardrails.test.yml"
    cases = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1h",
        "tests": [
            {
                "interval": "1h",
                "input_series": [
                    {"series": overall, "values": "0.70x200 0.67x200"},
                    {"series": pro, "values": "0.721x200 0.719x200"},
                    {"series": starter, "values": "0.60x200 0.66x200"},
                ],
                "alert_rule_test": [
                    {"eval_time": "190h", "alertname": name, "exp_alerts": []}
                    for name in (
                        "TalkmeterMarginLow", "TalkmeterProMarginLow", "TalkmeterMarginDrift",
                    )
                ]
                + [
                    _alert("TalkmeterMarginLow", "page", "overall",
                           "The gross margin over all plans is 67%, below 68 %."),
                    _alert("TalkmeterProMarginLow", "ticket", "pro",
                           "The gross margin of the plan pro is 71.9%, below 72 %."),
                    _alert("TalkmeterMarginDrift", "ticket", "starter",
                           "The gross margin of starter moved by more than 5 points in a week."),
                ],
            }
        ],
    }  # fmt: skip
    test.write_text(json.dumps(cases), encoding="utf-8")

    done = subprocess.run(
        ["promtool", "test", "rules", str(test)], text=True, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def _alert(name: str, severity: str, plan: str, summary: str) -> dict[str, object]:
    return {
        "eval_time": "210h",
        "alertname": name,
        "exp_alerts": [
            {
                "exp_labels": {"severity": severity, "scenario": "base", "plan": plan},
                "exp_annotations": {"summary": summary},
            }
        ],
    }
