"""Count in a worker process: what the product does, and what Dramatiq does with messages."""

import importlib
import multiprocessing
import os
from typing import Any

from dramatiq.middleware import Middleware

from actors.broker import broker
from actors.exposition import serve
from config import Settings
from runtime import metrics, metrics_folder
from runtime.logs import get_logger

logger = get_logger(__name__)


def begin(settings: Settings) -> None:
    """Begin to count in this process; called once, before the worker starts."""
    main = multiprocessing.parent_process()
    folder = metrics_folder.make(settings.metrics_dir, "worker", main.pid if main and main.pid else os.getpid())
    metrics.keep_in(folder)
    metrics.begin()
    # Dramatiq's module makes the folder that this names when it is imported, somewhere else by default.
    os.environ["dramatiq_prom_db"] = str(folder)  # noqa: SIM112
    try:
        library = importlib.import_module("dramatiq.middleware.prometheus")
    except OSError as error:
        logger.warning("message_metrics_left_out", folder=str(folder), error=error.strerror)
        return
    broker.add_middleware(_quiet(library.Prometheus, settings)())


def _quiet(library_class: Any, settings: Settings) -> type[Middleware]:
    """Return Dramatiq's middleware, which opens our port if one is wanted, and not its own."""
    forks = [serve] if settings.metrics_port is not None else []
    return type("MessageMetrics", (library_class,), {"forks": forks})
