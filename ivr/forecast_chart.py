"""A forecast as one SVG file that stands alone: revenue, cost and margin as bars, with amounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final
from xml.sax.saxutils import escape

from billing.domain.forecast import Scenario, cents
from billing.money import Rounding, divide, format_amount

LEFT: Final = 130
PLOT: Final = 520
WIDTH: Final = 800
ROW: Final = 24
GAP: Final = 18
TOP: Final = 84
STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#1f2933}.head{font-weight:600;font-size:16px}"
    ".note{fill:#52606d}.below{fill:#b42318;font-weight:600}"
    ".revenue{fill:#2563a8}.cost{fill:#c2702c}.margin{fill:#2f855a}"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One bar: which class it is drawn with, its length and what is written beside it."""

    kind: str
    amount: Fraction
    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """The bars of one name."""

    name: str
    note: str
    alarm: bool
    lines: tuple[Line, ...]


def money(amount: Fraction) -> str:
    """Write an amount in cents with the thousands apart."""
    whole, _, rest = format_amount(cents(amount)).partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(digits):,}.{rest}"


def percent(ratio: Fraction) -> str:
    """Write a ratio as a percentage with one decimal."""
    tenths = divide(ratio.numerator * 1000, ratio.denominator, Rounding.HALF_UP)
    whole, rest = divmod(abs(tenths), 10)
    return f"{'-' if tenths < 0 else ''}{whole}.{rest}%"


def groups(scenario: Scenario) -> list[Group]:
    """List the bars of a scenario: each plan."""
    return [
        Group(
            name=plan.name,
            note=percent(plan.ratio),
            alarm=plan.below_guardrail,
            lines=(
                Line("revenue", plan.revenue, money(plan.revenue)),
                Line("cost", plan.cost, money(plan.cost)),
                Line("margin", plan.gross_margin, money(plan.gross_margin)),
            ),
        )
        for plan in (*scenario.plans, scenario.overall)
    ]


def svg(title: str, shown: Sequence[tuple[str, Sequence[Group]]], *, currency: str) -> str:
    """Draw one panel per name; all panels have the same scale."""
    highest = max(
        (line.amount for _, panel in shown for group in panel for line in group.lines), default=0
    )
    parts, y = [], TOP
    for name, panel in shown:
        parts.append(f'<text class="head" x="16" y="{y}">{escape(name)}</text>')
        y += 14
        for group in panel:
            parts += _group(group, y, Fraction(highest) or Fraction(1))
            y += ROW * len(group.lines) + GAP
        y += GAP
    legend = "".join(
        f'<rect class="{kind}" x="{16 + number * 130}" y="42" width="12" height="12"/>'
        f'<text x="{34 + number * 130}" y="53">{label}</text>'
        for number, (kind, label) in enumerate(
            (("revenue", "revenue"), ("cost", "unit cost"), ("margin", "gross margin"))
        )
    )
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{y}" '
        f'viewBox="0 0 {WIDTH} {y}">\n<title>{escape(title)}</title>\n<style>{STYLE}</style>\n'
        f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>\n'
        f'<text class="head" x="16" y="28">{escape(title)}, {escape(currency)} per month</text>\n'
        f"{legend}\n{body}\n</svg>\n"
    )


def _group(group: Group, y: int, highest: Fraction) -> list[str]:
    alarm = "below" if group.alarm else "note"
    note = f"{group.note} below least" if group.alarm else group.note
    parts = [
        f'<text x="16" y="{y + 17}">{escape(group.name)}</text>',
        f'<text class="{alarm}" x="16" y="{y + 36}">{note}</text>',
    ]
    for number, line in enumerate(group.lines):
        top = y + number * ROW
        length = int(max(Fraction(0), line.amount) * PLOT / highest)
        size = f'width="{max(1, length)}" height="{ROW - 6}"'
        parts += [
            f'<rect class="{line.kind}" x="{LEFT}" y="{top + 3}" {size}/>',
            f'<text x="{LEFT + length + 8}" y="{top + 17}">{line.text}</text>',
        ]
    return parts
