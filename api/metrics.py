"""The metrics endpoint: the counts of the processes, and the state of the database and of Redis."""

import functools
import ipaddress
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Flask, Response, current_app, request
from peewee import PeeweeException
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from actors import dead_letters, presence
from config import Settings
from models.database import DatabaseUnavailable
from runtime import metrics, redis_link, telemetry
from runtime.logs import get_logger
from trading.upkeep.backlog import Backlog, read_backlog

from .http.authentication import check_secret
from .http.description import TEXT, described
from .http.errors import HttpRefusal
from .http.parsing import Blueprint, takes_no_query

logger = get_logger(__name__)

blueprint = Blueprint("metrics", __name__, description="Metrics")

# The database and Redis are asked at most once in this time, for any number of requests.
STATE_S = 3.0
# The headers by which a proxy names its client.
FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Real-Ip")


def register(app: Flask, settings: Settings) -> None:
    """Give the application the metrics that it shows, and gunicorn's worker the function that counts connections."""
    app.extensions["note_connections"] = metrics.note_connections
    registry = app.extensions["metrics"] = telemetry.registry(settings, "web")
    registry.register(State())
    # The counts alone: the state of the database and the broker is read anew each time.
    app.extensions["counts"] = telemetry.registry(settings, "web")


def for_prometheus(view: Callable[..., Response]) -> Callable[..., Response]:
    """Let requests with METRICS_TOKEN through; if it is not set, those of this machine outside production."""

    @functools.wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Response:
        settings: Settings = current_app.config["SETTINGS"]
        if settings.metrics_token is None:
            if settings.is_production:
                raise HttpRefusal("forbidden", "METRICS_TOKEN is not set, and in production nobody reads without it.")
            if not _is_from_here():
                detail = "METRICS_TOKEN is not set: without it only this machine itself may read, and through no proxy."
                raise HttpRefusal("forbidden", detail)
        else:
            check_secret(settings.metrics_token)
        return view(*args, **kwargs)

    return checked


@blueprint.get("/metrics")
@for_prometheus
@takes_no_query
@blueprint.response(200)
@described(
    problems=("forbidden",),
    security=[{"metricsToken": []}],
    responses={200: {"content": {"text/plain": {"schema": TEXT}, "application/openmetrics-text": {"schema": TEXT}}}},
)
def read() -> Response:
    """Read the metrics in Prometheus's text format, or in OpenMetrics on request.

    The counters are those of this machine's processes, the gauges of orders and queues those of the whole service.
    """
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(current_app.extensions["metrics"]), content_type=content_type)


def _is_from_here() -> bool:
    try:
        is_local = ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
    return is_local and not any(name in request.headers for name in FORWARDED)


class State(Collector):
    """The state of the database and of Redis; an unreachable one is reported as down and its metrics are omitted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._metrics: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        """Return the metrics, up to STATE_S old."""
        with self._lock:
            if time.monotonic() - self._read_at >= STATE_S:
                self._metrics = _state()
                self._read_at = time.monotonic()
            return self._metrics


def _state() -> list[Metric]:
    database, broker = list(_database_state()), list(_broker_state())
    up = GaugeMetricFamily("tradepost_up", "1 if it has answered a web process, else 0.", labels=["what"])
    up.add_metric(["database"], float(bool(database)))
    up.add_metric(["redis"], float(bool(broker)))
    return [up, *database, *broker]


def _database_state() -> Iterator[Metric]:
    try:
        backlog = read_backlog()
    except (DatabaseUnavailable, PeeweeException) as error:
        logger.warning("metrics_without_database", error=type(error).__name__)
        return
    yield from _orders(backlog)
    if backlog.violations is not None:
        yield GaugeMetricFamily(
            "tradepost_ledger_violations", "Violations found by the last check.", backlog.violations
        )
        yield GaugeMetricFamily("tradepost_ledger_check_age_seconds", "Time since the last check.", backlog.check_age_s)


def _orders(backlog: Backlog) -> Iterator[Metric]:
    yield GaugeMetricFamily("tradepost_pending_orders", "Orders due for a worker, up to 100,000.", backlog.pending)
    yield GaugeMetricFamily("tradepost_oldest_pending_seconds", "Age of the oldest of them.", backlog.oldest_age_s)
    watched = GaugeMetricFamily("tradepost_resting_orders", "OPEN orders, up to 100,000 each.", labels=["waiting_for"])
    watched.add_metric(["price"], backlog.resting["for_price"])
    watched.add_metric(["trigger"], backlog.resting["for_trigger"])
    yield watched
    waiting = backlog.resting["for_session"]
    yield GaugeMetricFamily("tradepost_after_market_orders", "PENDING orders that wait for their session.", waiting)
    yield GaugeMetricFamily(
        "tradepost_expiry_behind_seconds",
        "Time since the end of the oldest live order.",
        backlog.resting["expiry_behind_s"],
    )
    behind = GaugeMetricFamily(
        "tradepost_daily_work_behind_seconds", "Time since daily work was due that is not done.", labels=["work"]
    )
    for work, seconds in backlog.daily_work_behind_s.items():
        behind.add_metric([work], seconds)
    yield behind
    if backlog.session_days_left is not None:
        yield GaugeMetricFamily(
            "tradepost_session_days_left", "Days until the last known session.", backlog.session_days_left
        )


def _broker_state() -> Iterator[Metric]:
    answers = redis_link.ask(_ask_broker)
    if answers is None:
        return
    depths, workers, databases = answers
    queues = GaugeMetricFamily("tradepost_queue_messages", "Messages by queue and state.", labels=["queue", "state"])
    for depth in depths:
        for state in ("waiting", "working", "delayed", "dead"):
            queues.add_metric([depth.name, state], getattr(depth, state))
    yield queues
    yield GaugeMetricFamily("tradepost_workers", "Worker processes present in the last minute.", len(workers))
    yield GaugeMetricFamily("tradepost_redis_databases", "Databases whose workers use this namespace.", databases)


def _ask_broker() -> tuple[list[dead_letters.QueueDepth], list[presence.Worker], int]:
    redis_link.prove_writable()
    return dead_letters.queue_depths(), presence.present_workers(), presence.count_databases()
