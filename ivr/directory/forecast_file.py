"""Reads a forecast file; every mistake is named with file, line and field, all at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Final

from billing.domain.forecast import (
    MULTIPLIERS,
    Guardrails,
    MarginInput,
    PlanInput,
    RoiInput,
    Segment,
    Use,
)
from ivr.directory import catalog_words, yaml_reader
from ivr.directory.mistakes import CatalogInvalid
from ivr.directory.yaml_reader import Node

KINDS: Final = ("roi", "margin")
ZERO: Final = Fraction(0)
_NUMBER: Final = re.compile(r"\d{1,13}(\.\d{1,9})?", re.ASCII)
_ROI_FIELDS: Final = frozenset(
    {
        "kind", "currency", "concurrent_calls", "price", "provider_share", "hours_per_day",
        "days_per_month", "monthly_fee_per_did", "dids", "standard_fee_per_client", "clients",
    }
)  # fmt: skip
_MARGIN_FIELDS: Final = frozenset(
    {"kind", "currency", "fixed_cost", "byok", "segments", "plans", "guardrails", "scenarios"}
)


def number(text: str) -> Fraction:
    """Read a number that is not negative."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("write a number such as 20 or 0.0015")
    return Fraction(text)


def up_to(most: int) -> Callable[[str], Fraction]:
    """Read a number that has a bound."""

    def parse(text: str) -> Fraction:
        value = number(text)
        if value > most:
            raise ValueError(f"is more than {most}")
        return value

    return parse


def whole(text: str) -> Fraction:
    """Read a count."""
    value = number(text)
    if value.denominator != 1:
        raise ValueError("write a whole number")
    return value


def percent(text: str) -> Fraction:
    """Read a part of a whole, such as 30%."""
    if not text.endswith("%"):
        raise ValueError("write a percentage such as 30%")
    value = number(text.removesuffix("%").rstrip()) / 100
    if value > 1:
        raise ValueError("is more than 100%")
    return value


def hourly(text: str) -> Fraction:
    """Read a price per hour or per minute, such as 20/h; the result is per hour."""
    price, slash, unit = text.partition("/")
    if not slash or unit not in {"h", "min"}:
        raise ValueError("write a price such as 20/h or 0.50/min")
    return number(price) * (1 if unit == "h" else 60)


def read(path: Path) -> RoiInput | MarginInput:
    """Read a forecast file.

    Raises:
        CatalogInvalid: the file has mistakes.

    """
    root = yaml_reader.read(path)
    if not root.is_map:
        root.wrong("a map is needed here, with kind: roi or kind: margin")
        raise CatalogInvalid(root.notes.mistakes)
    kind = root.at("kind").need().read(catalog_words.one_of(*KINDS), "")
    if not kind:
        raise CatalogInvalid(root.notes.mistakes)
    found = _roi(root) if kind == "roi" else _margin(root)
    if root.notes.mistakes:
        raise CatalogInvalid(root.notes.mistakes)
    return found


def _roi(root: Node) -> RoiInput:
    fields = root.map(_ROI_FIELDS)
    return RoiInput(
        currency=_currency(fields),
        concurrent_calls=fields["concurrent_calls"].need().read(whole, ZERO),
        price_per_hour=fields["price"].need().read(hourly, ZERO),
        provider_share=fields["provider_share"].need().read(percent, ZERO),
        hours_per_day=fields["hours_per_day"].need().read(up_to(24), ZERO),
        days_per_month=fields["days_per_month"].need().read(up_to(31), ZERO),
        monthly_fee_per_did=fields["monthly_fee_per_did"].read(number, ZERO),
        dids=fields["dids"].read(whole, ZERO),
        standard_fee_per_client=fields["standard_fee_per_client"].read(number, ZERO),
        clients=fields["clients"].read(whole, ZERO),
    )


def _currency(fields: Mapping[str, Node]) -> str:
    return fields["currency"].need().read(catalog_words.currency, "")


def _margin(root: Node) -> MarginInput:
    fields = root.map(_MARGIN_FIELDS)
    byok = fields["byok"].map(frozenset({"share", "discount"}))
    segments = {
        name: _segment(name, node) for name, node in fields["segments"].need().items()
    }  # fmt: skip
    plans = tuple(_plan(name, node, segments) for name, node in fields["plans"].need().items())
    return MarginInput(
        currency=_currency(fields),
        fixed_cost=fields["fixed_cost"].read(number, ZERO),
        byok_share=byok["share"].read(percent, ZERO),
        byok_discount=byok["discount"].read(percent, ZERO),
        segments=segments,
        plans=plans,
        guardrails=_guardrails(fields["guardrails"], {plan.name for plan in plans}),
        scenarios={name: _scenario(node) for name, node in fields["scenarios"].items()},
    )


def _segment(name: str, node: Node) -> Segment:
    fields = node.map(frozenset({"unit_cost", "uplift"}))
    return Segment(
        name=name,
        unit_cost=fields["unit_cost"].need().read(number, ZERO),
        uplift=fields["uplift"].read(percent, ZERO),
    )


def _plan(name: str, node: Node, segments: Mapping[str, Segment]) -> PlanInput:
    if name == "overall":
        node.wrong("this name stands for all plans together; take another")
    fields = node.map(frozenset({"tenants", "price", "included", "overage", "use"}))
    uses = []
    for segment, use in fields["use"].need().items():
        if segment not in segments:
            use.wrong(f"no such segment; known: {', '.join(segments)}")
        parts = use.map(frozenset({"mix", "average"}))
        uses.append(
            Use(
                segment=segment,
                mix=parts["mix"].need().read(percent, ZERO),
                average=parts["average"].need().read(number, ZERO),
            )
        )
    if uses and sum(use.mix for use in uses) != 1:
        fields["use"].wrong("the mix of all segments must make 100%")
    return PlanInput(
        name=name,
        tenants=fields["tenants"].need().read(whole, ZERO),
        price=fields["price"].need().read(number, ZERO),
        included=fields["included"].read(whole, ZERO),
        overage=fields["overage"].read(number, ZERO),
        uses=tuple(uses),
    )


def _guardrails(node: Node, plans: set[str]) -> Guardrails:
    fields = node.map(frozenset({"overall", "plans"}))
    least = {}
    for name, child in fields["plans"].items():
        if name not in plans:
            child.wrong(f"no such plan; known: {', '.join(sorted(plans))}")
        least[name] = child.read(percent, ZERO)
    return Guardrails(overall=fields["overall"].read(percent, ZERO), plans=least)


def _scenario(node: Node) -> dict[str, Fraction]:
    fields = node.map(frozenset(MULTIPLIERS))
    return {name: child.read(number, Fraction(1)) for name, child in fields.items() if child.given}
