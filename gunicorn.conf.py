"""Configure gunicorn from the settings; gunicorn finds this file by its name."""

import os
import socket
import sys
from typing import Any

import gunicorn.glogging
import gunicorn.http.message
import gunicorn.http.wsgi
import gunicorn.util

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# Not `import config`: gunicorn reads this module's names as its own settings, and has one called config.
from config import ConfigurationError, misspelt, require_links, settings_or_exit
from runtime import addresses, database_url, descriptors, metrics_folder
from serving.reading import write_problem
from serving.secrets import without_tokens
from serving.succession import Supervision, succession
from serving.worker import Worker

_settings = settings_or_exit(require_links, database_url.check)
misspelt.warn()

bind = [f"{host}:{_settings.port}" for host in addresses.to_listen_on(_settings)]
workers = _settings.web_concurrency
loglevel = _settings.log_level.lower()
accesslog = None  # the application writes its own line per placement, with the request id


class _Logger(gunicorn.glogging.Logger):  # type: ignore[misc]
    """Gunicorn's log without the tokens of addresses, which it quotes when a request cannot be read or served."""

    def setup(self, cfg: Any) -> None:
        """Set up the log."""
        super().setup(cfg)
        self.error_log.addFilter(without_tokens)


class _TimelessLogger(_Logger):
    """The log without times, for a reader that adds them."""

    error_fmt = "[%(process)d] [%(levelname)s] %(message)s"


logger_class = _Logger if _settings.log_time else _TimelessLogger

# gevent: thousands of idle listeners in one process, where gthread needs a thread for each.
# The worker patches the standard library after the fork and before it loads the application,
# so nothing may be preloaded and nothing may be connected here.
worker_class = Worker
preload_app = False

# Heroku allows 30 s from SIGTERM to SIGKILL.
graceful_timeout = 20
timeout = 30
keepalive = _settings.keep_alive_s  # longer than the proxy's, so that the proxy closes the connection

# No header changes paths or schemes in gunicorn: api.http.proxies reads the headers of trusted proxies. With this
# setting on, gunicorn would answer 400 to every request whose headers disagree about the scheme.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
# So there is nothing that a peer could be trusted with, and no need to compare its address, which takes 7 µs a request.
forwarded_allow_ips = "*"

# Room for 200 stocks with long symbols in one address, and for the 1,000 of Kite's clients. The default is 4,094.
# gunicorn allows no more than the constant.
limit_request_line = gunicorn.http.message.MAX_REQUEST_LINE = 32_768

# The heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") and os.access("/dev/shm", os.W_OK) else None

control_socket_disable = True

# No setting of gunicorn hides the server's name; its response class reads this name for each response.
gunicorn.http.wsgi.SERVER = "tradepost"
gunicorn.util.write_error = write_problem


def _require_right_to_listen() -> None:
    """Exit with one line if this user may not listen on the port; gunicorn would try it six times in 5 s."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", _settings.port))
        except PermissionError:
            sys.exit(f"tradepost: this user may not listen on PORT {_settings.port}: use one from 1024 up")
        except OSError:  # the port is in use: gunicorn waits for it
            pass


def on_starting(server: Any) -> None:
    """Raise the limits, and create the folder of counts that PROMETHEUS_MULTIPROC_DIR names to prometheus_client."""
    _require_right_to_listen()
    try:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics_folder.make(_settings.metrics_dir, "web", os.getpid()))
    except ConfigurationError as error:
        sys.exit(f"tradepost: {error}")
    limit, needed = descriptors.raise_limit(), descriptors.MIN_DESCRIPTORS
    if limit < needed:
        sys.exit(f"tradepost: {needed} open files are needed, and only {limit} are allowed (ulimit -Hn)")
    connections = descriptors.for_clients(_settings.database_connections)
    server.log.info("Each worker takes %s connections: it may open %s files", connections, limit)
    server.murder_workers = Supervision(server)


def pre_fork(server: Any, worker: Any) -> None:
    """Record that a worker is being started, so that the worker that it replaces goes on until it is ready."""
    succession.note_start(worker.age)


def child_exit(server: Any, worker: Any) -> None:
    """Delete the gauges of a worker that has ended."""
    metrics_folder.forget_dead(os.environ["PROMETHEUS_MULTIPROC_DIR"], worker.pid)


def post_worker_init(worker: Any) -> None:
    """Connect worker and application: the worker's stopping, its limit of connections, and its counts of them."""
    worker.wsgi.extensions["hub"].is_stopping = lambda: getattr(worker, "is_stopping", not worker.alive)
    worker.max_connections = descriptors.for_clients(_settings.database_connections)
    worker.report = worker.wsgi.extensions["note_connections"]
    succession.note_ready(worker.age)
