"""The results of the growth benchmark as tables, with the ratios of fuller to empty tables."""

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.growth.sides import EMPTY, FULL, SIDES

GOAL = 0.90


@dataclass
class Comparison:
    """The rounds of a figure on each side; higher is better for a rate, lower for a duration."""

    name: str
    unit: str
    is_rate: bool = True
    rounds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, side: str, value: float) -> None:
        """Add a round of a side."""
        self.rounds.setdefault(side, []).append(value)

    def ratios(self, side: str) -> list[float]:
        """Return the performance of a side as a share of the empty one, for each round."""
        pairs = zip(self.rounds[EMPTY], self.rounds[side], strict=True)
        return [value / empty if self.is_rate else empty / value for empty, value in pairs]

    def as_dict(self) -> dict[str, Any]:
        """Return all values by name, for JSON."""
        ratios = {side: median(self.ratios(side)) for side in self.rounds}
        return {
            "figure": self.name,
            "unit": self.unit,
            "medians": {side: median(values) for side, values in self.rounds.items()},
            "ratios": ratios,
            "full_ratios": self.ratios(FULL),
            "goal": GOAL,
            "reached": ratios[FULL] >= GOAL,
            "rounds": self.rounds,
        }


def text(results: dict[str, Any]) -> str:
    """Return the results so far as plain tables."""
    lines = [*_loading(results), *_comparisons(results), *_statistics(results), *_rest(results)]
    return "\n".join(lines)


def _loading(results: dict[str, Any]) -> list[str]:
    if "load" not in results:
        return []
    load = results["load"]
    lines = ["", f"loaded in {sum(load['seconds'].values()):.0f} s", f"{'table':20s}        rows  table MB  index MB"]
    for name, size in load["sizes"].items():
        lines.append(f"{name:20s}  {size['rows']:10,.0f}  {size['table_mb']:8,.0f}  {size['index_mb']:8,.0f}")
    return lines


def _comparisons(results: dict[str, Any]) -> list[str]:
    rows = [row for part in ("throughput", "busy", "latency", "reads") for row in results.get(part, ())]
    sides = "".join(f"{side:>9s}" for side in SIDES)
    lines = ["", f"{'figure':40s}{sides}  unit      full/empty  goal {GOAL:.2f}"] if rows else []
    for row in rows:
        verdict = "reached" if row["reached"] else "NOT REACHED"
        medians = "".join(f"{row['medians'][side]:9.1f}" for side in SIDES)
        lines.append(f"{row['figure']:40s}{medians}  {row['unit']:8s}  {row['ratios'][FULL]:10.2f}  {verdict}")
    return lines


def _statistics(results: dict[str, Any]) -> list[str]:
    lines = (
        ["", "side   table               inserted    updated   HOT   sequential scans"]
        if "statistics" in results
        else []
    )
    for side, tables in results.get("statistics", {}).items():
        for row in tables:
            share = f"{row['hot'] / row['updated']:5.0%}" if row["updated"] else "    -"
            lines.append(
                f"{side:5s}  {row['table']:18s}  {row['inserted']:8,d}  {row['updated']:9,d} {share}"
                f"  {row['sequential_scans']:17,d}"
            )
    return lines


def _rest(results: dict[str, Any]) -> list[str]:
    lines = [""]
    if found := results.get("retention"):
        before, beside = found["placement_without"], found["placement_beside"]
        lines.append(
            f"retention: {found['rows_per_second']:,.0f} deleted events/s during placements,"
            f" whose p50 goes from {before['p50_ms']:.2f} to {beside['p50_ms']:.2f} ms"
            f" and p99 from {before['p99_ms']:.2f} to {beside['p99_ms']:.2f} ms"
        )
    if found := results.get("verify"):
        seconds = ", ".join(f"{name} {value:.1f} s" for name, value in found["seconds"].items())
        lines.append(f"ledger verify: {seconds}")
        lines += [f"WRONG: {fact}" for fact in found["wrong"]] or ["the ledgers are right"]
    return lines
