"""A figure beside its floor, and whether it is what it must be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """`must` and `goal` are limits of value / floor, or of value - floor where `difference`."""

    name: str
    value: float
    floor_name: str
    floor: float
    must: float
    goal: float
    more_is_better: bool = False
    difference: bool = False

    @property
    def measured(self) -> float:
        if self.difference:
            return self.value - self.floor
        return self.value / self.floor if self.floor else 0.0

    @property
    def grade(self) -> str:
        def reached(limit: float) -> bool:
            if self.more_is_better:
                return self.measured >= limit
            return self.measured <= limit

        return "goal" if reached(self.goal) else "must" if reached(self.must) else "MISSED"

    def document(self) -> dict[str, object]:
        return {
            "figure": self.name,
            "value": round(self.value, 4),
            "floor": self.floor_name,
            "floor_value": round(self.floor, 4),
            "difference" if self.difference else "ratio": round(self.measured, 3),
            "must": self.must,
            "goal": self.goal,
            "grade": self.grade,
        }

    def line(self) -> str:
        sign = "-" if self.difference else "/"
        floor = f"{self.floor:>10,.2f} {self.floor_name:<22}"
        return (
            f"{self.name:<40} {self.value:>12,.2f} {sign} {floor}"
            f" = {self.measured:>8.2f}   must {self.must:<5g} goal {self.goal:<5g} {self.grade}"
        )
