"""Dramatiq's own counts of messages, beside those of the product."""

import importlib
import os
from typing import Any

from dramatiq.middleware import Middleware

from actors.broker import broker
from actors.exposition import serve
from config import Settings
from runtime.logs import get_logger

logger = get_logger(__name__)


def begin(settings: Settings) -> None:
    """Count messages in this process, into the folder of its other counts."""
    # Dramatiq's module makes the folder that this names when it is imported, somewhere else by default.
    folder = os.environ["dramatiq_prom_db"] = os.environ["PROMETHEUS_MULTIPROC_DIR"]  # noqa: SIM112
    try:
        library = importlib.import_module("dramatiq.middleware.prometheus")
    except OSError as error:
        logger.warning("message_metrics_left_out", folder=folder, error=error.strerror)
        return
    broker.add_middleware(_quiet(library.Prometheus, settings)())


def _quiet(library_class: Any, settings: Settings) -> type[Middleware]:
    """Return Dramatiq's middleware, which opens our port if one is wanted, and not its own."""
    forks = [serve] if settings.metrics_port is not None else []
    return type("MessageMetrics", (library_class,), {"forks": forks})
