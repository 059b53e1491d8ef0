"""Configure gunicorn from the settings; gunicorn finds this file by its name."""

import os
import sys
from types import FrameType
from typing import Any

import gevent
import gunicorn.http.wsgi
from gunicorn.workers.ggevent import GeventWorker

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# Not `import config`: gunicorn reads this module's names as its own settings, and has one called config.
from config import settings_or_exit

_settings = settings_or_exit()

bind = f"0.0.0.0:{_settings.port}"
workers = _settings.web_concurrency
loglevel = _settings.log_level.lower()
accesslog = None  # the application writes its own line per placement, with the request id


class IdleTime(gevent.Timeout):
    """How long a connection may wait for its next request; the worker that stops cuts it short."""

    def __init__(self, worker: "Worker") -> None:
        super().__init__(worker.cfg.keepalive if worker.alive else 0, False)
        self.worker = worker

    def __enter__(self) -> "IdleTime":
        self.worker.idle[self] = gevent.getcurrent()
        return super().__enter__()

    def __exit__(self, *error: Any) -> Any:
        del self.worker.idle[self]
        return super().__exit__(*error)


class Worker(GeventWorker):
    """gunicorn's gevent worker, which stops at once when its connections are idle.

    The stock one waits the whole graceful_timeout for clients that keep a connection open.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.idle: dict[IdleTime, gevent.Greenlet] = {}

    def timeout_ctx(self) -> IdleTime:
        """Bound the wait for a connection's next request."""
        return IdleTime(self)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop after the requests that are going on."""
        super().handle_exit(sig, frame)
        gevent.spawn(self.end_idle_connections)

    def end_idle_connections(self) -> None:
        """Wake every connection that waits for a request."""
        for idle_time, greenlet in list(self.idle.items()):
            gevent.kill(greenlet, idle_time)


# gevent: thousands of idle listeners in one process, where gthread needs a thread for each.
# The worker patches the standard library after the fork and before it loads the application,
# so nothing may be preloaded and nothing may be connected here.
worker_class = Worker
worker_connections = 10_000
preload_app = False

# Heroku gives 30 s from SIGTERM to SIGKILL.
graceful_timeout = 20
timeout = 30
keepalive = 75  # longer than the usual 60 s of a proxy, so that the proxy is the one who closes

# The heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") and os.access("/dev/shm", os.W_OK) else None

control_socket_disable = True

# No setting of gunicorn hides what serves; its response class reads this name for each response.
gunicorn.http.wsgi.SERVER = "tradepost"


def post_worker_init(worker: Worker) -> None:
    """Let the hub notice that the worker is stopping, so that it can tell the listeners."""
    worker.wsgi.extensions["hub"].is_stopping = lambda: not worker.alive
