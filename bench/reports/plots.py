"""The plots of the published results: docs/performance/*.svg."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import ScalarFormatter

WIDTH, HEIGHT = 9.0, 3.6  # inches
# Colours that people with colour blindness can tell apart (Okabe and Ito, 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Text stays text and ids stay the same, so that the files are small and their diffs readable.
STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "tradepost", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}


def draw(results: dict[str, Any], growth: dict[str, Any] | None, folder: Path) -> None:
    """Write every plot into a folder."""
    with mpl.rc_context(STYLE):
        _latency(results["curves"], folder / "latency.svg")
        _connections(results["curves"]["connections"], folder / "connections.svg")
        if growth is not None:
            _growth(growth, folder / "growth.svg")


def _latency(curves: dict[str, Any], path: Path) -> None:
    drawing = Drawing(figsize=(WIDTH, HEIGHT), layout="constrained")
    for number, (name, title) in enumerate(
        (("latencies", "placement: request to 202"), ("delays", "idle system: accepted to EXECUTED"))
    ):
        axes = drawing.add_subplot(1, 2, number + 1)
        for colour, (label, points) in zip(COLOURS, curves[name].items(), strict=False):
            axes.plot(points, [100 * index / (len(points) - 1) for index in range(len(points))], colour, label=label)
        _milliseconds(axes, title)
    _save(drawing, path)


def _milliseconds(axes: Axes, title: str) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set(title=title, xlabel="milliseconds", ylabel="% of the orders within", ylim=(0, 100))
    axes.legend(fontsize=8)


def _connections(rows: list[dict[str, Any]], path: Path) -> None:
    many = sorted((row for row in rows if row["accounts"] > 1), key=lambda row: row["connections"])
    numbers = [row["connections"] for row in many]
    drawing = Drawing(figsize=(WIDTH, HEIGHT), layout="constrained")
    rates, ratios = drawing.add_subplot(1, 2, 1), drawing.add_subplot(1, 2, 2)
    for colour, name, label in (
        (COLOURS[0], "http", "placements over HTTP"),
        (COLOURS[1], "pgbench", "pgbench, the plain sequence"),
    ):
        rates.plot(numbers, [row[f"{name}_per_second"] for row in many], "o-", color=colour, label=label)
        for row in many:  # one point per round
            rounds = row[f"{name}_rounds"]
            rates.plot([row["connections"]] * len(rounds), rounds, ".", color=colour, alpha=0.4, markersize=3)
    ratios.plot(numbers, [row["ratio"] for row in many], "o-", color=COLOURS[2], label="HTTP / pgbench")
    ratios.axhline(0.30, color="grey", linestyle="--", linewidth=1, label="required at 16")
    for axes, title, unit in ((rates, "throughput", "orders/s"), (ratios, "ratio", "")):
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.set(title=title, xlabel="connections", ylabel=unit, xticks=numbers)
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=8)
    _save(drawing, path)


def _growth(growth: dict[str, Any], path: Path) -> None:
    sizes = growth["load"]["orders"]
    drawing = Drawing(figsize=(WIDTH, HEIGHT + 1.2), layout="constrained")
    for number, (title, parts) in enumerate(
        (("under load", ("throughput", "busy")), ("one request after the other", ("latency", "reads")))
    ):
        axes = drawing.add_subplot(1, 2, number + 1)
        rows = [row for part in parts for row in growth.get(part, ())]
        for colour, row in zip(COLOURS, rows, strict=False):
            shares = [row["ratios"][side] for side in sizes]
            axes.plot(list(sizes.values()), shares, "o-", color=colour, label=row["figure"])
        axes.axhline(rows[0]["goal"], color="grey", linestyle="--", linewidth=1, label="to reach")
        axes.set_xscale("log")
        axes.set(title=title, xlabel="orders in the tables", ylabel="share of empty tables", ylim=(0, 1.3))
        axes.legend(fontsize=7, loc="lower left")
    _save(drawing, path)


def _save(drawing: Drawing, path: Path) -> None:
    drawing.savefig(path, metadata={"Date": None})
