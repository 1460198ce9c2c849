"""What a business would earn: the calculators for a support line (ROI) and for plans (margin).

    RoiInput     -> roi()       a line that takes calls: per hour, minute and month, and fees
    MarginInput  -> margin()    tenants on plans with metered use: revenue, cost, gross margin

All arithmetic is exact (fractions); an amount is rounded once, half up, when it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final

from billing.money import MICROS_PER_UNIT, Micros, Rounding, divide

MINUTES: Final = 60
CENT: Final = MICROS_PER_UNIT // 100
MULTIPLIERS: Final = ("tenants", "prices", "use", "overage", "unit_costs", "fixed_cost")


def cents(amount: Fraction) -> Micros:
    """Round units of a currency to whole cents, half up, as micro-units."""
    return divide(amount.numerator * 100, amount.denominator, Rounding.HALF_UP) * CENT


def micros(amount: Fraction) -> Micros:
    """Round units of a currency to micro-units, half up."""
    return divide(amount.numerator * MICROS_PER_UNIT, amount.denominator, Rounding.HALF_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiInput:
    """A support line; amounts are units of the currency."""

    currency: str
    concurrent_calls: Fraction
    price_per_hour: Fraction
    provider_share: Fraction
    hours_per_day: Fraction
    days_per_month: Fraction
    monthly_fee_per_did: Fraction
    dids: Fraction
    standard_fee_per_client: Fraction
    clients: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Roi:
    """What the provider earns: from one call per hour and minute, from the line per month."""

    per_hour: Fraction
    per_minute: Fraction
    hours_per_month: Fraction
    per_month: Fraction
    did_fees: Fraction
    client_fees: Fraction

    @property
    def total(self) -> Fraction:
        """The share of the talk and all fees, per month."""
        return self.per_month + self.did_fees + self.client_fees


def roi(given: RoiInput) -> Roi:
    """Compute what the provider earns from a line that is busy all its hours."""
    per_hour = given.price_per_hour * given.provider_share
    hours = given.concurrent_calls * given.hours_per_day * given.days_per_month
    return Roi(
        per_hour=per_hour,
        per_minute=per_hour / MINUTES,
        hours_per_month=hours,
        per_month=per_hour * hours,
        did_fees=given.monthly_fee_per_did * given.dids,
        client_fees=given.standard_fee_per_client * given.clients,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A kind of use: what a unit costs us, and the uplift on the price of overage."""

    name: str
    unit_cost: Fraction
    uplift: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One segment of a plan: `mix` is its part of the tenants, `average` units a tenant a month."""

    segment: str
    mix: Fraction
    average: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInput:
    """A plan: monthly price, units included in it, and the price of a unit beyond them."""

    name: str
    tenants: Fraction
    price: Fraction
    included: Fraction
    overage: Fraction
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrails:
    """The least gross margin, overall and of single plans."""

    overall: Fraction = Fraction(0)
    plans: Mapping[str, Fraction] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginInput:
    """The whole scenario. `byok_share` of the overage is of tenants who bring their own key."""

    currency: str
    fixed_cost: Fraction
    byok_share: Fraction
    byok_discount: Fraction
    segments: Mapping[str, Segment]
    plans: tuple[PlanInput, ...]
    guardrails: Guardrails = field(default_factory=Guardrails)
    # name of the scenario -> multiplier of each of MULTIPLIERS that differs from 1
    scenarios: Mapping[str, Mapping[str, Fraction]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """Revenue and cost of a plan, or of all; the gross margin is before the fixed cost."""

    name: str
    tenants: Fraction
    base: Fraction
    overage: Fraction
    cost: Fraction
    threshold: Fraction = Fraction(0)

    @property
    def revenue(self) -> Fraction:
        """Monthly prices and overage."""
        return self.base + self.overage

    @property
    def gross_margin(self) -> Fraction:
        """Revenue less the cost of the units used."""
        return self.revenue - self.cost

    @property
    def ratio(self) -> Fraction:
        """The gross margin as a part of the revenue; nothing of nothing is nothing."""
        return self.gross_margin / self.revenue if self.revenue else Fraction(0)

    @property
    def below_guardrail(self) -> bool:
        """Tell whether the gross margin is below its least."""
        return self.ratio < self.threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario worked out."""

    name: str
    plans: tuple[Margin, ...]
    overall: Margin
    fixed_cost: Fraction

    @property
    def operating_margin(self) -> Fraction:
        """What is left after the fixed cost."""
        return self.overall.gross_margin - self.fixed_cost

    @property
    def operating_ratio(self) -> Fraction:
        """The operating margin as a part of the revenue."""
        revenue = self.overall.revenue
        return self.operating_margin / revenue if revenue else Fraction(0)


def margin(given: MarginInput) -> tuple[Scenario, ...]:
    """Work out every scenario of the file; without any it is `base` as written."""
    scenarios = given.scenarios or {"base": {}}
    return tuple(_scenario(name, scaled(given, by)) for name, by in scenarios.items())


def scaled(given: MarginInput, by: Mapping[str, Fraction]) -> MarginInput:
    """Multiply the figures named in `by`."""
    times = {name: by.get(name, Fraction(1)) for name in MULTIPLIERS}
    return replace(
        given,
        fixed_cost=given.fixed_cost * times["fixed_cost"],
        segments={
            name: replace(segment, unit_cost=segment.unit_cost * times["unit_costs"])
            for name, segment in given.segments.items()
        },
        plans=tuple(
            replace(
                plan,
                tenants=plan.tenants * times["tenants"],
                price=plan.price * times["prices"],
                overage=plan.overage * times["overage"],
                uses=tuple(replace(use, average=use.average * times["use"]) for use in plan.uses),
            )
            for plan in given.plans
        ),
    )


def _scenario(name: str, given: MarginInput) -> Scenario:
    plans = tuple(_plan(given, plan) for plan in given.plans)
    zero = Fraction(0)
    overall = Margin(
        name="overall",
        tenants=sum((plan.tenants for plan in plans), zero),
        base=sum((plan.base for plan in plans), zero),
        overage=sum((plan.overage for plan in plans), zero),
        cost=sum((plan.cost for plan in plans), zero),
        threshold=given.guardrails.overall,
    )
    return Scenario(name=name, plans=plans, overall=overall, fixed_cost=given.fixed_cost)


def _plan(given: MarginInput, plan: PlanInput) -> Margin:
    overage = cost = Fraction(0)
    own_keys = 1 - given.byok_share * given.byok_discount
    for use in plan.uses:
        segment = given.segments[use.segment]
        tenants = plan.tenants * use.mix
        beyond = max(Fraction(0), use.average - plan.included)
        overage += tenants * beyond * plan.overage * (1 + segment.uplift) * own_keys
        cost += tenants * use.average * segment.unit_cost
    return Margin(
        name=plan.name,
        tenants=plan.tenants,
        base=plan.tenants * plan.price,
        overage=overage,
        cost=cost,
        threshold=given.guardrails.plans.get(plan.name, Fraction(0)),
    )
