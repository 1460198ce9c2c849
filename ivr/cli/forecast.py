"""`talkmeter forecast`: what a support line or a set of plans would earn."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from billing.domain.forecast import Margin, Roi, RoiInput, Scenario, cents, margin, micros, roi
from billing.money import format_amount
from ivr.cli import context
from ivr.forecast_chart import groups, money, percent, svg

if TYPE_CHECKING:
    from billing.domain.forecast import MarginInput

BAR: Final = 40


def forecast(
    file: Annotated[Path, typer.Argument(help="A YAML file of kind roi or margin.")],
    chart: Annotated[
        Path | None, typer.Option(help="Write the margin as a picture (SVG) to this file.")
    ] = None,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Print margins as Prometheus text (kind margin).")
    ] = False,
    json: context.JsonFlag = False,
) -> None:
    """Work out the file: the earnings of a support line, or the margin of plans.

    With --metrics the margins go to a node exporter's textfile folder, where the alarms of
    ivr/guardrails.rules.yml watch them.
    """
    given = _read(file)
    if isinstance(given, RoiInput):
        if chart is not None or metrics:
            raise typer.BadParameter("a forecast of kind margin is needed")
        result = roi(given)
        if json:
            context.emit(_roi_document(given, result))
        else:
            _print_roi(given, result)
        return
    scenarios = margin(given)
    if chart is not None:
        _draw(chart, given, scenarios)
    if metrics:
        _print_metrics(scenarios)
    elif json:
        context.emit(_margin_document(given, scenarios))
    else:
        _print_margin(given, scenarios)


def _read(file: Path) -> RoiInput | MarginInput:
    from ivr.directory.forecast_file import read
    from ivr.directory.mistakes import CatalogInvalid

    try:
        return read(file)
    except CatalogInvalid as error:
        for mistake in error.mistakes:
            typer.echo(str(mistake), err=True)
        raise typer.Exit(1) from None


def _cents(amount: Fraction) -> str:
    return format_amount(cents(amount))


def _roi_document(given: RoiInput, result: Roi) -> dict[str, object]:
    return {
        "kind": "roi",
        "currency": given.currency,
        "per_hour": format_amount(micros(result.per_hour)),
        "per_minute": format_amount(micros(result.per_minute)),
        "hours_per_month": format_amount(micros(result.hours_per_month), decimals_min=0),
        "per_month": _cents(result.per_month),
        "did_fees": _cents(result.did_fees),
        "client_fees": _cents(result.client_fees),
        "total": _cents(result.total),
    }


def _print_roi(given: RoiInput, result: Roi) -> None:
    rows = (
        ("one call, per hour", format_amount(micros(result.per_hour))),
        ("one call, per minute", format_amount(micros(result.per_minute))),
        ("share of the talk, per month", money(result.per_month)),
        ("fees of DIDs, per month", money(result.did_fees)),
        ("fees of clients, per month", money(result.client_fees)),
        ("in all, per month", money(result.total)),
    )
    hours = format_amount(micros(result.hours_per_month), decimals_min=0)
    context.say(f"the provider earns ({given.currency}, {hours} hours of talk a month)")
    for name, amount in rows:
        context.say(f"  {name:<30} {amount:>16}")


def _margin_document(given: MarginInput, scenarios: tuple[Scenario, ...]) -> dict[str, object]:
    return {
        "kind": "margin",
        "currency": given.currency,
        "scenarios": [
            {
                "name": scenario.name,
                "plans": [_line(plan) for plan in scenario.plans],
                "overall": _line(scenario.overall),
                "fixed_cost": _cents(scenario.fixed_cost),
                "operating_margin": _cents(scenario.operating_margin),
                "operating_margin_percent": percent(scenario.operating_ratio).removesuffix("%"),
            }
            for scenario in scenarios
        ],
    }


def _line(one: Margin) -> dict[str, object]:
    return {
        "plan": one.name,
        "tenants": format_amount(micros(one.tenants), decimals_min=0),
        "base": _cents(one.base),
        "overage": _cents(one.overage),
        "revenue": _cents(one.revenue),
        "cost": _cents(one.cost),
        "gross_margin": _cents(one.gross_margin),
        "gross_margin_percent": percent(one.ratio).removesuffix("%"),
        "least_percent": percent(one.threshold).removesuffix("%") if one.threshold else None,
        "below_least": one.below_guardrail,
    }


def _print_margin(given: MarginInput, scenarios: tuple[Scenario, ...]) -> None:
    highest = max((one.overall.revenue for one in scenarios), default=Fraction(0)) or Fraction(1)
    for scenario in scenarios:
        context.say(f"{scenario.name} ({given.currency} per month)")
        context.say(
            f"  {'plan':<12} {'tenants':>8} {'prices':>14} {'overage':>12} {'revenue':>14} "
            f"{'cost':>14} {'margin':>14} {'':>6}"
        )
        for one in (*scenario.plans, scenario.overall):
            alarm = f"  below {percent(one.threshold)}" if one.below_guardrail else ""
            context.say(
                f"  {one.name:<12} {_tenants(one):>8} {money(one.base):>14} "
                f"{money(one.overage):>12} {money(one.revenue):>14} {money(one.cost):>14} "
                f"{money(one.gross_margin):>14} {percent(one.ratio):>6}{alarm}"
            )
        context.say(
            f"  after the fixed cost of {money(scenario.fixed_cost)}: "
            f"{money(scenario.operating_margin)} ({percent(scenario.operating_ratio)})"
        )
        for one in (*scenario.plans, scenario.overall):
            context.say(f"  {one.name:<12} {_bar(one, highest)}")
        context.say()
    context.say("a bar is the revenue: # of it the gross margin, . the cost")


def _print_metrics(scenarios: tuple[Scenario, ...]) -> None:
    name = "talkmeter_gross_margin_ratio"
    context.say(f"# HELP {name} Gross margin of a plan as a part of its revenue.")
    context.say(f"# TYPE {name} gauge")
    for scenario in scenarios:
        for one in (*scenario.plans, scenario.overall):
            ratio = format_amount(micros(one.ratio), decimals_min=1)
            context.say(f'{name}{{scenario="{scenario.name}",plan="{one.name}"}} {ratio}')


def _tenants(one: Margin) -> str:
    return format_amount(micros(one.tenants), decimals_min=0)


def _bar(one: Margin, highest: Fraction) -> str:
    length = int(one.revenue * BAR / highest)
    kept = max(0, int(one.gross_margin * BAR / highest))
    return "#" * kept + "." * (length - kept)


def _draw(chart: Path, given: MarginInput, scenarios: tuple[Scenario, ...]) -> None:
    panels = [(scenario.name, groups(scenario)) for scenario in scenarios]
    try:
        chart.write_text(svg("Margin", panels, currency=given.currency), encoding="utf-8")
    except OSError as error:
        context.fail(f"{chart}: {error.strerror or 'cannot be written'}")
