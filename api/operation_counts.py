"""The counts of the processes of this machine, for the operator's page."""

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry

from runtime import metrics
from runtime.metrics_totals import Totals

# Outcomes that are no refusals and no rejections.
ACCEPTED = ("accepted", "replayed")
NOT_REJECTED = ("executed", "failed", "execution_failed")
POOL_STATES = ("in_use", "open", "waiting", "allowed")


def read_counts(registry: CollectorRegistry) -> dict[str, Any]:
    """Return the counts, the listeners, the pools by kind of process, and the late matches."""
    totals = Totals(registry)
    quotes = totals.by(metrics.QUOTES, "outcome")
    placements = totals.by(metrics.PLACEMENTS, "outcome")
    return {
        "counts": {
            "quotes": sum(quotes.values()),
            "unusable_quotes": sum(quotes.values()) - quotes.get("usable", 0),
            "requests": totals.sum_of(metrics.REQUESTS),
            "failed_requests": totals.sum_of(metrics.REQUESTS, status="5xx"),
            "accepted": placements.get("accepted", 0),
            "refusals": _most_frequent_first(placements, ACCEPTED),
            "rejections": _most_frequent_first(totals.by(metrics.EXECUTIONS, "outcome"), NOT_REJECTED),
        },
        "listeners": {state: totals.sum_of(metrics.LISTENERS, state=state) for state in ("connected", "allowed")},
        "pools": _pools(totals),
        "late_matches": totals.sum_of(metrics.LATE_MATCHES),
    }


def _pools(totals: Totals) -> list[dict[str, Any]]:
    by_state = {state: totals.by(metrics.POOL, "process", state=state) for state in POOL_STATES}
    return [
        {"process": process or "web", **{state: found.get(process, 0) for state, found in by_state.items()}}
        for process in sorted(by_state["allowed"])
    ]


def _most_frequent_first(counts: Mapping[str, int], without: tuple[str, ...]) -> list[dict[str, Any]]:
    found = [(count, code) for code, count in counts.items() if count and code not in without]
    return [{"code": code, "count": count} for count, code in sorted(found, key=lambda one: (-one[0], one[1]))]
