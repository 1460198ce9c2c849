"""What a client's own logins may change on its lines, and which prices it may make.

    limits:
      edit: [topics, hours, prompts, agents, queues, tariffs]
      destinations: [queue, voicemail, sip, phone]
      price: {from: 0.10/min, to: 2.00/min}
      setup_fee: "5.00"

Without any, a client changes its sounds and nothing else. Who makes prices needs a highest one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from billing.domain.notation import format_price, parse_price
from billing.domain.tariffs import TAX_WHOLE, Problem, Tariff, Tier
from billing.errors import InvalidInput
from billing.money import Micros, format_amount
from ivr.directory.catalog_words import not_negative, one_of
from ivr.directory.destinations import DESTINATION_KINDS
from ivr.directory.yaml_reader import Node

EDITS: Final = ("topics", "hours", "prompts", "agents", "queues", "tariffs")
MINUTE: Final = 60
# A price rounded to whole units could be many times what its tiers say.
DECIMALS_MIN: Final = 2
Document = dict[str, Any]  # Any: YAML and JSON values


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """Which things a client edits, where its topics may lead, and prices in micro-units a minute.

    `price_to` and `setup_fee_max` are what a caller may be charged at most, added tax included.
    """

    edit: tuple[str, ...] = ("prompts",)
    kinds: tuple[str, ...] = ("queue", "voicemail")
    price_from: Micros | None = None
    price_to: Micros | None = None
    setup_fee_max: Micros = 0

    def allows(self, what: str) -> bool:
        """Tell whether the client may change such things."""
        return what in self.edit

    @staticmethod
    def from_body(body: Document) -> ClientLimits:
        """Read what JSON keeps."""
        lists: Document = {name: tuple(body[name]) for name in ("edit", "kinds") if name in body}
        return ClientLimits(**{**body, **lists})


def read_limits(node: Node) -> ClientLimits:
    """Read the limits of a client; what is wrong is noted."""
    if not node.given:
        return ClientLimits()
    fields = node.map(frozenset({"edit", "destinations", "price", "setup_fee"}))
    prices = fields["price"].map(frozenset({"from", "to"}))
    low = prices["from"].read(_per_minute, None)
    high = prices["to"].read(_per_minute, None)
    default = ClientLimits()
    edit, kinds = fields["edit"], fields["destinations"]
    found = ClientLimits(
        edit=tuple(child.read(one_of(*EDITS), "prompts") for child in edit.list())
        if edit.given
        else default.edit,
        kinds=tuple(child.read(one_of(*DESTINATION_KINDS), "queue") for child in kinds.list())
        if kinds.given
        else default.kinds,
        price_from=low,
        price_to=high,
        setup_fee_max=fields["setup_fee"].read(not_negative, 0),
    )
    if found.allows("tariffs") and high is None and not node.notes.has(prices["to"].place):
        prices["to"].wrong("who may change tariffs needs a highest price, such as 2.00/min")
    if low is not None and high is not None and low > high:
        prices["from"].wrong("above the highest price")
    return found


def limits_document(limits: ClientLimits) -> Document:
    """Write limits as `read_limits` reads them; nothing where they are the usual ones."""
    if limits == ClientLimits():
        return {}
    prices = {"from": limits.price_from, "to": limits.price_to}
    written = {name: format_price(price, MINUTE) for name, price in prices.items() if price}
    return {
        "edit": list(limits.edit),
        "destinations": list(limits.kinds),
        **({"price": written} if written else {}),
        **({"setup_fee": format_amount(limits.setup_fee_max)} if limits.setup_fee_max else {}),
    }


def beyond_limits(tariff: Tariff, limits: ClientLimits) -> Iterator[Problem]:
    """Name each field of a price list by which callers would pay more, or less, than allowed.

    With whole minutes at most, a talk never costs more than the setup fee and its begun minutes
    at the highest price.
    """
    if limits.price_to is None:
        yield "tiers", "your provider has not set a highest price yet"
        return
    taxed = TAX_WHOLE
    if tariff.tax is not None and not tariff.tax.included:
        taxed += tariff.tax.basis_points
    for place, tiers in _tier_lists(tariff):
        for number, tier in enumerate(tiers):
            yield from _tier(
                f"{place}[{number}]",
                tier,
                low=limits.price_from,
                high=limits.price_to,
                taxed=taxed,
            )
    yield from _whole(tariff, limits, taxed, highest=limits.setup_fee_max + limits.price_to)


def _whole(
    tariff: Tariff, limits: ClientLimits, taxed: int, *, highest: Micros
) -> Iterator[Problem]:
    """Look at what stands beside the tiers; `highest` is what one minute may cost in all."""
    if tariff.setup_fee * taxed > limits.setup_fee_max * TAX_WHOLE:
        yield (
            "setup_fee",
            f"your provider allows at most {format_amount(limits.setup_fee_max)}{_taxed(taxed)}",
        )
    if tariff.minimum_seconds > MINUTE:
        yield "minimum", "at most 1m"
    if tariff.minimum_cost * taxed > highest * TAX_WHOLE:
        yield "minimum_cost", "more than the highest setup fee and one minute"
    if tariff.rounding.decimals < DECIMALS_MIN:
        yield "rounding.decimals", f"at least {DECIMALS_MIN}"
    if limits.price_from is not None:
        if tariff.free_seconds > MINUTE:
            yield "free", "at most 1m, as your provider has set a lowest price"
        if tariff.maximum_cost is not None:
            yield "maximum_cost", "not together with the lowest price of your provider"


def _tier(
    place: str, tier: Tier, *, low: Micros | None, high: Micros, taxed: int
) -> Iterator[Problem]:
    if tier.price * MINUTE * taxed > high * tier.per_seconds * TAX_WHOLE:
        yield (
            f"{place}.price",
            f"your provider allows at most {format_price(high, MINUTE)}{_taxed(taxed)}",
        )
    if low is not None and tier.price * MINUTE < low * tier.per_seconds:
        yield f"{place}.price", f"your provider allows {format_price(low, MINUTE)} or more"
    if tier.increment_seconds > MINUTE:
        yield f"{place}.increment", "at most 60s"


def _tier_lists(tariff: Tariff) -> Iterator[tuple[str, tuple[Tier, ...]]]:
    yield "tiers", tariff.tiers
    for number, period in enumerate(tariff.periods):
        yield f"periods[{number}].tiers", period.tiers


def _taxed(taxed: int) -> str:
    return " with tax" if taxed != TAX_WHOLE else ""


def _per_minute(text: str) -> Micros | None:
    price, per_seconds = parse_price(text)
    if price * MINUTE % per_seconds:
        raise InvalidInput(reason="write a price of a minute, such as 0.50/min")
    return price * MINUTE // per_seconds
