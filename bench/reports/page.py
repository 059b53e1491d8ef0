"""The Markdown of a run, with the last results for the market, for full tables and for listeners."""

import json
from pathlib import Path
from typing import Any

from bench.reports.figures import number, table

RESULTS = Path(__file__).resolve().parent.parent / "results"
LATEST, PUBLISHED, GROWTH, LISTENERS, LIVE_QUOTES, TICKERS, MATCHING, DESK = (
    RESULTS / f"{name}.json"
    for name in ("latest", "published", "growth", "listeners", "live_quotes", "tickers", "matching", "desk")
)


def committed(path: Path) -> dict[str, Any] | None:
    """Return the committed results in a file, or None if there are none."""
    return json.loads(path.read_text()) if path.exists() else None


def report(path: Path, document: dict[str, Any], lines: list[str], good: str) -> int:
    """Store a run and print its lines and what is wrong, else `good`; return the exit code."""
    path.write_text(json.dumps(document, indent=1) + "\n")
    print("\n".join(lines))
    for line in [f"WRONG: {fact}" for fact in document["wrong"]] or [good]:
        print(line)
    return 1 if document["wrong"] else 0


def growth_rows(grown: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the comparison of full and empty tables."""
    return [row for part in ("throughput", "busy", "latency", "reads") for row in grown.get(part, ())]


def section(results: dict[str, Any]) -> str:
    """Return the tables of a run with its machine and versions, then those that are stored by themselves."""
    versions = ", ".join(f"{name} {value}" for name, value in results["versions"].items())
    machine, minutes = results["machine"], results["took_seconds"] / 60
    lines = [
        f"Measured on {results['measured_at'][:10]} in {minutes:.0f} minutes: {machine['cores']} cores,",
        f"Python {machine['python']}, {versions}; the medians of {results['rounds']} rounds.",
        "",
        table(results["figures"]),
        "",
        *connections(results["curves"].get("connections", [])),
        "",
        *_remarks(results["figures"]),
    ]
    parts = (
        (MATCHING, matched),
        (GROWTH, _grown),
        (LISTENERS, listening),
        (LIVE_QUOTES, live_quoted),
        (TICKERS, ticked),
        (DESK, _desk),
    )
    for path, written in parts:
        if found := committed(path):
            lines += written(found)
    return "\n".join(lines)


def _remarks(figures: list[dict[str, Any]]) -> list[str]:
    return [f"- {figure['title']}: {figure['remarks']}." for figure in figures if figure["remarks"]]


def matched(found: dict[str, Any]) -> list[str]:
    """Return the table of the market: quotes, matches, fills and expiry."""
    head = (
        f"Orders that rest, and quotes ({found['measured_at'][:10]}, the medians of {found['rounds']} rounds,"
        " measure anew with `python -m bench --parts matching`):"
    )
    return ["", head, "", table(found["figures"]), "", *_remarks(found["figures"])]


def _desk(found: dict[str, Any]) -> list[str]:
    head = f"The desk ({found['measured_at'][:10]}, measure anew with `python -m bench.desk`):"
    return ["", head, "", table(found["figures"]), "", *_remarks(found["figures"])]


def listening(found: dict[str, Any]) -> list[str]:
    """Return the table of a web process with thousands of listeners."""
    head = (
        f"One web process with {found['listeners']:,} listeners on {found['accounts']:,} accounts"
        f" ({found['measured_at'][:10]}, measure anew with `python -m bench.listeners`):"
    )
    return ["", head, "", table(found["figures"]), "", *_remarks(found["figures"])]


def live_quoted(found: dict[str, Any]) -> list[str]:
    """Return the table of a web process whose listeners watch stocks."""
    head = (
        f"One web process with {found['listeners']:,} listeners that watch {found['watched']} of {found['stocks']:,}"
        f" stocks each, at {found['quotes']:,} quotes/s ({found['measured_at'][:10]}, measure anew with"
        " `python -m bench.live_quotes`):"
    )
    return ["", head, "", table(found["figures"]), "", *_remarks(found["figures"])]


def ticked(found: dict[str, Any]) -> list[str]:
    """Return the table of a web process with many tickers of Kite's clients."""
    head = (
        f"One web process with {found['tickers']:,} of Kite's tickers that subscribe to {found['subscribed']} of"
        f" {found['stocks']:,} stocks each in the mode full, at {found['quotes']:,} quotes/s"
        f" ({found['measured_at'][:10]}, measure anew with `python -m bench.tickers`):"
    )
    return ["", head, "", table(found["figures"]), "", *_remarks(found["figures"])]


def connections(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table of placements over HTTP and by pgbench for each number of connections."""
    if not rows:
        return []
    names = ("accounts", "connections", "http_per_second", "pgbench_per_second", "ratio", "p50_ms", "p95_ms", "p99_ms")
    ordered = sorted(rows, key=lambda row: (-row["accounts"], row["connections"]))
    return [
        "| accounts | connections | HTTP orders/s | pgbench tps | ratio | p50 ms | p95 ms | p99 ms |",
        "|---|---|---|---|---|---|---|---|",
        *(f"| {' | '.join(number(row[name]) for name in names)} |" for row in ordered),
    ]


def _grown(grown: dict[str, Any]) -> list[str]:
    sizes = grown["load"]["orders"]
    empty, *larger = sizes
    heads = " | ".join(f"{sizes[side]:,} orders" for side in reversed(larger))
    lines = [
        "",
        f"With that many orders in the tables ({grown['measured_at'][:10]}, measure anew with `make bench-growth`):",
        "",
        f"| figure | {heads} | empty tables | ratio (rounds; 1: the same cost) | to reach | reached |",
        f"|---|{'---|' * len(larger)}---|---|---|---|",
    ]
    for row in growth_rows(grown):
        values = " | ".join(f"{number(row['medians'][side])} {row['unit']}" for side in (*reversed(larger), empty))
        ratio, spread = row["ratios"][larger[-1]], row["full_ratios"]
        lines.append(
            f"| {row['figure']} | {values} | {number(ratio)} ({number(min(spread))} to {number(max(spread))})"
            f" | ≥ {row['goal']:g} | {'yes' if row['reached'] else '**no**'} |"
        )
    return lines
