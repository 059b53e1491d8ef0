"""Configure gunicorn from the settings; gunicorn finds this file by its name."""

import json
import os
import socket
import sys
import time
import uuid
from types import FrameType
from typing import Any

import gevent
import gunicorn.http.wsgi
import gunicorn.util
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.ggevent import GeventWorker
from werkzeug.exceptions import RequestTimeout

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# Not `import config`: gunicorn reads this module's names as its own settings, and has one called config.
from config import ConfigurationError, require_links, settings_or_exit
from trading import database_url, metrics_folder

_settings = settings_or_exit(require_links, database_url.check)

bind = f"0.0.0.0:{_settings.port}"
workers = _settings.web_concurrency
loglevel = _settings.log_level.lower()
accesslog = None  # the application writes its own line per placement, with the request id

# From a request's first bytes to the last of its body: 64 KiB at 52 kbit/s, 512 KiB of quotes at 420.
REQUEST_S = 10.0


class Reader(SocketUnreader):
    """Reads requests from a connection, each of which has to be there in time."""

    def __init__(self, parser: "Parser", sock: Any) -> None:
        super().__init__(sock)
        self.parser = parser
        self.deadline: float | None = None

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes; raise RequestTimeout when a request's time is over."""
        if self.deadline is None:  # IdleTime bounds the wait for a request's first bytes
            data: bytes = super().chunk(size_hint)
            self.deadline = time.monotonic() + REQUEST_S
            return data
        try:
            with gevent.Timeout(max(0.0, self.deadline - time.monotonic()), RequestTimeout):
                return super().chunk(size_hint)
        except RequestTimeout:
            if self.parser.mesg is not None:
                self.parser.mesg.force_close()
            raise


class Parser(RequestParser):
    """gunicorn's parser, over such a reader."""

    def __init__(self, cfg: Any, source: Any, source_addr: Any) -> None:
        super().__init__(cfg, source, source_addr)
        self.unreader = Reader(self, source)

    def finish_body(self, *args: Any, **options: Any) -> bool:
        """Drop what is left of the last request, and let the next one have its own time."""
        is_finished = super().finish_body(*args, **options)
        self.unreader.deadline = None
        return is_finished


class IdleTime(gevent.Timeout):
    """How long a connection may wait for its next request; the worker that stops cuts it short."""

    def __init__(self, worker: "Worker") -> None:
        super().__init__(worker.cfg.keepalive if worker.alive else 0, False)
        self.worker = worker

    def __enter__(self) -> "IdleTime":
        self.worker.idle[self] = gevent.getcurrent()
        return super().__enter__()

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> Any:
        del self.worker.idle[self]
        # Of a request whose headers do not come there is nothing to answer: the connection is closed.
        return super().__exit__(kind, error, trace) or isinstance(error, RequestTimeout)


class Worker(GeventWorker):
    """gunicorn's gevent worker, which stops at once when its connections are idle.

    The stock one waits the whole graceful_timeout for clients that keep a connection open.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.idle: dict[IdleTime, gevent.Greenlet] = {}

    def init_process(self) -> None:
        """Begin to serve."""
        gunicorn.http.RequestParser = Parser
        super().init_process()

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


def write_problem(sock: Any, status: int, reason: str, _message: str) -> None:
    """Answer what never became a request as the application answers the others; gunicorn's own answer is HTML."""
    code = "internal_error" if status == 500 else "bad_request"
    problem = {"type": f"urn:tradepost:problem:{code}", "title": reason, "status": status, "code": code}
    body = json.dumps(problem | {"detail": "The request cannot be read.", "instance": "/"}).encode()
    headers = {
        "Connection": "close",
        "Content-Type": "application/problem+json",
        "Content-Length": len(body),
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": uuid.uuid4().hex,
    }
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    gunicorn.util.write_nonblock(sock, "\r\n".join(lines).encode() + body)


gunicorn.util.write_error = write_problem


def _require_right_to_listen() -> None:
    """Exit with one line when this user may not have the port; gunicorn would ask for it six times in 5 s."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", _settings.port))
        except PermissionError:
            sys.exit(f"tradepost: PORT {_settings.port} is not for this user to listen on: take one from 1024 up")
        except OSError:  # in use: gunicorn waits for it
            pass


def on_starting(server: Any) -> None:
    """Make the folder of the workers' counts: prometheus_client keeps them in files when this variable names one."""
    _require_right_to_listen()
    try:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics_folder.make(_settings.metrics_dir, "web", os.getpid()))
    except ConfigurationError as error:
        sys.exit(f"tradepost: {error}")


def child_exit(server: Any, worker: Any) -> None:
    """Forget what was true of a worker only while it lived."""
    metrics_folder.forget_dead(os.environ["PROMETHEUS_MULTIPROC_DIR"], worker.pid)


def post_worker_init(worker: Worker) -> None:
    """Let the hub notice that the worker is stopping, so that it can tell the listeners."""
    worker.wsgi.extensions["hub"].is_stopping = lambda: not worker.alive
