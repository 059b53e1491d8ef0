"""The logs, counts and traces of a process: one set-up for every door."""

from typing import Literal

from prometheus_client import CollectorRegistry

from config import Settings
from runtime import logs, metrics, metrics_folder, tracing
from runtime.metrics_export import OwnCounts, SharedCounts

Role = Literal["web", "worker"]


def begin(settings: Settings, role: Role, *, main_pid: int | None = None) -> None:
    """Set up logs, counts and traces, before anything is counted and after the database has been named.

    main_pid is the main process of a worker, whose folder holds the counts; for a web process gunicorn's main
    process has named the folder in PROMETHEUS_MULTIPROC_DIR already. Raises ConfigurationError for a bad METRICS_DIR.
    """
    logs.configure(settings.log_level, settings.log_format, has_time=settings.log_time)
    if main_pid is not None:
        metrics.keep_in(metrics_folder.make(settings.metrics_dir, role, main_pid))
    metrics.begin()
    tracing.configure(f"tradepost-{role}", wanted=settings.tracing)


def registry(settings: Settings, role: Role) -> CollectorRegistry:
    """Return a registry with the counts that a role shows: web those of workers too, unless they have METRICS_PORT."""
    found = CollectorRegistry()
    if role == "worker":
        found.register(SharedCounts(settings.metrics_dir, ["worker"]))
    elif metrics.are_shared():
        found.register(SharedCounts(settings.metrics_dir, ["web"] if settings.metrics_port else ["web", "worker"]))
    else:
        found.register(OwnCounts())
    return found
