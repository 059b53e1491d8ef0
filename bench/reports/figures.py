"""The figures of the benchmark: rounds, rounds of the reference, their ratio, and the goals."""

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Goal:
    """A goal, the measured value, and whether the goal is reached."""

    text: str
    measured: str
    reached: bool


@dataclass
class Figure:
    """One row of the table: a value per round, and the value of the reference in the same round."""

    name: str
    title: str
    unit: str
    rounds: list[float]
    reference: str = ""
    reference_rounds: list[float] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    remarks: str = ""

    @property
    def value(self) -> float:
        """Return the median of the rounds."""
        return median(self.rounds)

    @property
    def reference_value(self) -> float | None:
        """Return the median of the rounds of the reference."""
        return median(self.reference_rounds) if self.reference_rounds else None

    @property
    def ratio(self) -> float | None:
        """Return the ratio of the medians."""
        return self.value / self.reference_value if self.reference_value else None

    @property
    def ratios(self) -> list[float]:
        """Return the ratio of each round, which shows the spread."""
        return [value / beside for value, beside in zip(self.rounds, self.reference_rounds, strict=False) if beside]

    def at_least(self, quantity: str, measured: float, limit: float, *, unit: str = "") -> "Figure":
        """Add a goal that values at or above the limit reach."""
        self.goals.append(_goal(quantity, "≥", measured, limit, unit, reached=measured >= limit))
        return self

    def at_most(self, quantity: str, measured: float, limit: float, *, unit: str = "") -> "Figure":
        """Add a goal that values at or below the limit reach."""
        self.goals.append(_goal(quantity, "≤", measured, limit, unit, reached=measured <= limit))
        return self

    def as_dict(self) -> dict[str, Any]:
        """Return all values by name, for JSON."""
        derived = {"value": self.value, "reference_value": self.reference_value, "ratio": self.ratio}
        return {**asdict(self), **derived, "ratios": self.ratios}


def _goal(quantity: str, sign: str, measured: float, limit: float, unit: str, *, reached: bool) -> Goal:
    unit = f" {unit}" if unit else ""
    return Goal(f"{quantity} {sign} {limit:g}{unit}", f"{number(measured)}{unit}", reached)


def number(value: float | None) -> str:
    """Return a number with three significant digits, or without decimals from 100 on."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(figures: list[dict[str, Any]]) -> str:
    """Return the figures (in the form of as_dict) as a Markdown table."""
    lines = ["| figure | measured | reference | ratio (rounds) | to reach | reached |", "|---|---|---|---|---|---|"]
    for figure in figures:
        beside = f"{number(figure['reference_value'])} {figure['unit']}: {figure['reference']}"
        goals = figure["goals"]
        lines.append(
            f"| {figure['title']} | {number(figure['value'])} {figure['unit']} "
            f"| {beside if figure['reference'] else '–'} | {_ratio(figure)} "
            f"| {'<br>'.join(goal['text'] for goal in goals)} "
            f"| {'<br>'.join(_verdict(goal) for goal in goals)} |"
        )
    return "\n".join(lines)


def _ratio(figure: dict[str, Any]) -> str:
    if figure["ratio"] is None:
        return "–"
    spread = figure["ratios"]
    return f"{number(figure['ratio'])} ({number(min(spread))} to {number(max(spread))})"


def _verdict(goal: dict[str, Any]) -> str:
    return f"yes: {goal['measured']}" if goal["reached"] else f"**no**: {goal['measured']}"
