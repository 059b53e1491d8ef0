"""What growth costs: each figure on the full tables beside the one on empty tables, as a table."""

from dataclasses import dataclass, field
from statistics import median
from typing import Any

GOAL = 0.90


@dataclass
class Comparison:
    """The rounds of one figure on both sides; a rate is better when higher, a duration when lower."""

    name: str
    unit: str
    is_rate: bool = True
    empty: list[float] = field(default_factory=list)
    full: list[float] = field(default_factory=list)

    def add(self, side: str, value: float) -> None:
        """Add a round of a side, which is empty or full."""
        {"empty": self.empty, "full": self.full}[side].append(value)

    @property
    def ratio(self) -> float:
        """Return how good the full tables are as a share of the empty ones, by the medians."""
        empty, full = median(self.empty), median(self.full)
        return full / empty if self.is_rate else empty / full

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {
            "figure": self.name,
            "unit": self.unit,
            "empty": median(self.empty),
            "full": median(self.full),
            "ratio": self.ratio,
            "goal": GOAL,
            "reached": self.ratio >= GOAL,
            "empty_rounds": self.empty,
            "full_rounds": self.full,
        }


def text(results: dict[str, Any]) -> str:
    """Return what has been measured so far as plain tables."""
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
    lines = ["", f"{'figure':40s}    empty     full  unit      full/empty  goal {GOAL:.2f}"] if rows else []
    for row in rows:
        verdict = "reached" if row["reached"] else "NOT REACHED"
        lines.append(
            f"{row['figure']:40s}  {row['empty']:7.1f}  {row['full']:7.1f}  {row['unit']:8s}"
            f"  {row['ratio']:10.2f}  {verdict}"
        )
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
            f"retention: {found['rows_per_second']:,.0f} events/s beside placements,"
            f" whose p50 goes from {before['p50_ms']:.2f} to {beside['p50_ms']:.2f} ms"
            f" and p99 from {before['p99_ms']:.2f} to {beside['p99_ms']:.2f} ms"
        )
    if found := results.get("verify"):
        seconds = ", ".join(f"{name} {value:.1f} s" for name, value in found["seconds"].items())
        lines.append(f"ledger verify: {seconds}")
        lines += [f"WRONG: {fact}" for fact in found["wrong"]] or ["the books are right"]
    return lines
