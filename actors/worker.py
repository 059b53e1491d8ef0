"""The set-up of a worker process; `dramatiq actors.worker:boot` calls it in every child after the fork."""

import multiprocessing
import os

from actors import broker, maintenance, message_metrics, orders, ticker, traces
from config import ConfigurationError, exit_for, misspelt, require_database_url, settings_or_exit
from models import database
from runtime import database_url, telemetry

ACTORS = (orders.execute_order, maintenance.sweep_orders, *(actor for actor, _ in ticker.PERIODIC))


def boot() -> None:
    """Read the settings, name the database and the broker, and set up telemetry; connect to nothing yet."""
    settings = settings_or_exit(database_url.check)
    misspelt.warn()
    main = multiprocessing.parent_process()
    try:
        # One connection for each thread, one for the ticker and one for work in the background.
        pool_size = settings.worker_threads + 2
        database.initialise(require_database_url(settings), pool_size=pool_size, shards=settings.shards)
        broker.configure(settings, role="worker")
        telemetry.begin(settings, "worker", main_pid=main.pid if main and main.pid else os.getpid())
        message_metrics.begin(settings)
        traces.begin()
    except ConfigurationError as error:
        exit_for(error)
