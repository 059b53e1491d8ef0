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
    # On import Dramatiq's module creates the folder that this variable names.
    folder = os.environ["dramatiq_prom_db"] = os.environ["PROMETHEUS_MULTIPROC_DIR"]  # noqa: SIM112
    try:
        library = importlib.import_module("dramatiq.middleware.prometheus")
    except OSError as error:
        logger.warning("message_metrics_left_out", folder=folder, error=error.strerror)
        return
    broker.add_middleware(_with_own_port(library.Prometheus, settings)())


def _with_own_port(library_class: Any, settings: Settings) -> type[Middleware]:
    """Return Dramatiq's middleware with METRICS_PORT, if it is set, in place of its own port."""
    forks = [serve] if settings.metrics_port is not None else []
    return type("MessageMetrics", (library_class,), {"forks": forks})
