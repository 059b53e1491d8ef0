"""The metrics of all processes, for Prometheus; docs/observability.md explains every name.

Each metric has a label, so it has no value before its first use. Therefore keep_in() may be called after the import
of this module, where Dramatiq needs it.
"""

import atexit
import functools
import os
import threading
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client import Counter, Gauge, Histogram, values

from models.connections import CONNECT_OUTCOMES
from models.database import db
from models.rows import OrderRow
from runtime import descriptors, logs, metrics_files
from runtime.metrics_gathering import GatheredSteps

Metric = TypeVar("Metric", Counter, Gauge, Histogram)
SAMPLE_S = 1.0
LENGTHS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
FILLS_S = (*LENGTHS_S, 30.0, 60.0)
DELAYS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)

REQUESTS = Histogram("tradepost_request_seconds", "HTTP requests.", ["endpoint", "status"], buckets=LENGTHS_S)
PLACEMENTS = Counter("tradepost_placements", "Placements by outcome; refused ones by their code.", ["outcome"])
PLACEMENT_STEPS = Histogram("tradepost_placement_step_seconds", "Steps of placements.", ["step"], buckets=LENGTHS_S)
DISPATCHES = Counter("tradepost_dispatches", "Messages to workers; sweeping replaces failed ones.", ["outcome"])
EXECUTIONS = Counter("tradepost_executions", "Orders by outcome; rejected ones by their reason.", ["outcome"])
EXECUTION_DELAY = Histogram("tradepost_execution_delay_seconds", "Time until the end.", ["outcome"], buckets=DELAYS_S)
EXECUTION_STEPS = Histogram("tradepost_execution_step_seconds", "Steps of batches.", ["step"], buckets=LENGTHS_S)
QUOTES = Counter("tradepost_quotes", "Quotes by outcome: usable, or the reason against matching.", ["outcome"])
CANDLES = Counter("tradepost_candles", "Gathered candles that were written, and those that were lost.", ["outcome"])
MATCHES = Counter("tradepost_matches", "Orders that quotes have matched, by the rule that fills them.", ["rule"])
LATE_MATCHES = Counter("tradepost_matches_found_late", "Matches that only the level sweep found, by rule.", ["rule"])
MATCH_SECONDS = Histogram("tradepost_match_seconds", "From a quote to its matches.", ["by"], buckets=LENGTHS_S)
FILL_SECONDS = Histogram("tradepost_fill_seconds", "From a match to its committed end.", ["outcome"], buckets=FILLS_S)
EXPIRED = Counter("tradepost_orders_expired", "Expired orders, by their validity.", ["validity"])
SQUARE_OFF_OUTCOMES = ("ended", "executed", "placed", "finished", "at_close")
SQUARE_OFFS = Counter("tradepost_square_off_steps", "Orders and positions of square-offs, by step.", ["step"])
SWEEPS = Counter("tradepost_sweeps", "Sweeps, by their trigger and by whether they found orders.", ["by", "found"])
SWEPT_OUTCOMES = ("executed", "rejected", "failed", "opened", "cancelled", "expired")
SWEPT = Counter("tradepost_swept_orders", "Orders that sweeps found, by outcome.", ["by", "outcome"])
ACCOUNT_WAITS = Counter("tradepost_account_waits", "Waits for a busy account, by outcome.", ["outcome"])
REPLAYS = Counter("tradepost_stream_replays", "Beginnings of streams: live, replayed or reset.", ["outcome"])
TAKEN_BACK = Counter("tradepost_events_taken_back", "Accounts that lost events in a failover or restore.", ["of"])
LIVE_QUOTES = Counter("tradepost_live_quotes", "Quotes for listeners that watch their stocks.", ["outcome"])
LISTENERS = Gauge("tradepost_listeners", "Listeners of a process.", ["state"], multiprocess_mode="liveall")
CONNECTIONS = Gauge("tradepost_connections", "Client connections of a process.", ["state"], multiprocess_mode="liveall")
CONNECTIONS_ENDED = Counter("tradepost_connections_ended", "Connections ended for want of room.", ["reason"])
DESCRIPTORS = Gauge("tradepost_descriptors", "File descriptors of a process.", ["state"], multiprocess_mode="liveall")
POOL = Gauge("tradepost_database_pool", "Database connections of a process.", ["state"], multiprocess_mode="liveall")
POOL_WAITS = Counter("tradepost_database_pool_waits", "Waits because no connection was free.", ["kind"])
CONNECTS = Counter("tradepost_database_connects", "Connects to the database, by outcome.", ["outcome"])
LOST_LINES = Counter("tradepost_log_lines_lost", "Log lines that could not be written.", ["stream"])
LOST_SPANS = Counter("tradepost_spans_lost", "Spans of traces that could not be sent.", ["exporter"])

# Series that alerts watch start at 0: Prometheus sees no rise in a series that starts at 1.
KNOWN: dict[Counter | Histogram, tuple[tuple[str, ...], ...]] = {
    PLACEMENTS: (("accepted",), ("replayed",), ("internal_error",), ("service_unavailable",)),
    DISPATCHES: (("sent",), ("failed",)),
    EXECUTIONS: (("executed",), ("failed",), ("execution_failed",)),
    QUOTES: tuple((outcome,) for outcome in ("usable", "stale", "future", "too_old", "crossed_book")),
    MATCHES: tuple((rule,) for rule in ("first_look", "book", "trade_through", "touch", "market", "stop")),
    LATE_MATCHES: tuple((rule,) for rule in ("first_look", "book", "market", "stop")),
    MATCH_SECONDS: (("quote",), ("level_sweep",)),
    FILL_SECONDS: (("executed",),),
    EXPIRED: (("DAY",), ("TTL",)),
    SQUARE_OFFS: tuple((step,) for step in SQUARE_OFF_OUTCOMES),
    SWEEPS: (("tick", "yes"), ("tick", "no"), ("cron", "yes"), ("cron", "no")),
    SWEPT: tuple((by, outcome) for by in ("tick", "cron") for outcome in SWEPT_OUTCOMES),
    ACCOUNT_WAITS: (("freed",), ("held",), ("left",)),
    REPLAYS: (("live",), ("replayed",), ("reset",)),
    CANDLES: (("written",), ("lost",)),
    LIVE_QUOTES: (("sent",), ("postponed",)),
    TAKEN_BACK: (("accounts",),),
    POOL_WAITS: (("session",), ("account",)),
    CONNECTS: tuple((outcome,) for outcome in CONNECT_OUTCOMES),
    LOST_LINES: (("standard_error",),),
    LOST_SPANS: (("otlp",),),
    CONNECTIONS_ENDED: (("silent",), ("refused",)),
}


@functools.cache
def of(metric: Metric, *labels: str) -> Metric:
    """Return the child of a metric with these labels, cached: labels() of the library takes as long as counting."""
    return metric.labels(*labels)


# Recorded once a second, before this process is read, and when it ends.
placement_steps = GatheredSteps(functools.partial(of, PLACEMENT_STEPS))


def keep_in(folder: Path) -> None:
    """Keep the counts of this process in files of a folder that others read; call this before the first count."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.get_value_class()


def are_shared() -> bool:
    """Return True if the counts of this process are kept in files that others read."""
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ


def begin() -> None:
    """Start the known series at 0, and sample this process once a second if others read its counts.

    Call this before the first count.
    """
    metrics_files.install()
    atexit.register(placement_steps.settle)
    for metric, known in KNOWN.items():
        for labels in known:
            of(metric, *labels)
    if are_shared():
        threading.Thread(target=_sample_on, name="metrics", daemon=True).start()


def _sample_on() -> None:
    while True:
        sample()
        placement_steps.settle()
        metrics_files.settle()
        time.sleep(SAMPLE_S)


def sample() -> None:
    """Record connections and descriptors in use, outcomes of connects, and lost log lines."""
    pool = db.pool
    for state in ("in_use", "open", "waiting", "allowed"):
        of(POOL, state).set(getattr(pool, state))
    waits, connects = pool.take_counts()
    of(POOL_WAITS, "session").inc(waits)
    for outcome, number in connects.items():
        of(CONNECTS, outcome).inc(number)
    of(LOST_LINES, "standard_error").inc(logs.take_lost_lines())
    of(DESCRIPTORS, "used").set(descriptors.used())
    of(DESCRIPTORS, "allowed").set(descriptors.limit())


def note_connections(*, number: int, allowed: int, ended: int, refused: int) -> None:
    """Record the client connections of this process, and the connections ended and refused since the last call."""
    of(CONNECTIONS, "open").set(number)
    of(CONNECTIONS, "allowed").set(allowed)
    of(CONNECTIONS_ENDED, "silent").inc(ended)
    of(CONNECTIONS_ENDED, "refused").inc(refused)


def observe_steps(histogram: Histogram, steps: dict[str, float]) -> None:
    """Record the steps of a stopwatch, given in milliseconds."""
    for name, milliseconds in steps.items():
        of(histogram, name).observe(milliseconds / 1000)


def count_quotes(outcomes: Mapping[str, int]) -> None:
    """Count quotes by outcome: `usable`, or the reason for which a quote was not stored or not matched."""
    for outcome, number in outcomes.items():
        of(QUOTES, outcome).inc(number)


def count_candles(outcome: str, number: int) -> None:
    """Count gathered candles: `written` or `lost`."""
    of(CANDLES, outcome).inc(number)


def count_matches(rules: Iterable[str], seconds: float, *, by: str = "quote") -> None:
    """Count the matched orders by rule, after the commit that began with the quotes' arrival or with a level sweep."""
    matched = list(rules)
    for rule in matched:
        of(MATCHES, rule).inc()
    if matched:
        of(MATCH_SECONDS, by).observe(seconds)


def count_late_matches(rules: Iterable[str], seconds: float) -> None:
    """Count the orders that only the level sweep has matched, by rule, after its commit."""
    late = list(rules)
    for rule in late:
        of(LATE_MATCHES, rule).inc()
    count_matches(late, seconds, by="level_sweep")


def count_expired(validities: Iterable[str]) -> None:
    """Count orders that have expired, by their validity."""
    for validity in validities:
        of(EXPIRED, validity).inc()


def count_square_off(step: str, number: int) -> None:
    """Count the steps of a square-off: orders ended, executed, placed or matched at the close; positions finished."""
    of(SQUARE_OFFS, step).inc(number)


def count_batch(
    executions: Iterable[tuple[OrderRow, *tuple[Any, ...]]],
    rejections: Iterable[tuple[OrderRow, str]],
    steps: dict[str, float],
) -> None:
    """Count the orders that a batch has ended; record their delays by this machine's clock, and the batch's steps.

    A matched order's delay begins with its match. Another's begins when a worker was due: it may have rested before.
    """
    now, ends = datetime.now(UTC), [*((order, "executed") for order, *_ in executions), *rejections]
    for order, outcome in ends:
        of(EXECUTIONS, outcome).inc()
        if order["matched_at"] is not None:
            of(FILL_SECONDS, outcome).observe(_seconds(order["matched_at"], now))
        else:
            begun = order["placed_at"] if order["status"] == "PENDING" else order["due_at"] or order["placed_at"]
            of(EXECUTION_DELAY, outcome).observe(_seconds(begun, now))
    if ends:
        observe_steps(EXECUTION_STEPS, steps)


def _seconds(begun: datetime, now: datetime) -> float:
    return max(0.0, (now - begun).total_seconds())


def count_sweep(by: str, counts: Any) -> None:
    """Count a sweep and the orders it found, by outcome."""
    of(SWEEPS, by, "yes" if counts.claimed else "no").inc()
    for outcome in SWEPT_OUTCOMES:
        of(SWEPT, by, outcome).inc(getattr(counts, outcome))
