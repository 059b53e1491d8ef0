"""The time of `make run` until it is ready, from its second start on."""

import http.client
import os
import re
import tempfile
import time
from pathlib import Path

from bench.reports.figures import Figure
from embedded import local_http
from tests.support.processes import Running, free_port, wait_until

START_ALLOWED_S = 3.0
READY_TIMEOUT_S = 120.0
# Variables that would select other servers or other defaults.
UNSET = ("DATABASE_URL", "REDIS_URL", "CRON_SECRET", "TRADEPOST_ENV", "ORDER_DISPATCH", "MARKET_CALENDAR", "MAKEFLAGS")
STEP = re.compile(r"^(.+?) \.\.\. ([0-9.]+) s$", re.MULTILINE)


def start_of_make_run(*, rounds: int) -> tuple[dict[str, float], Figure]:
    """Start and stop `make run` on one data folder; return the seconds of the last start's steps, and the figure."""
    seconds: list[float] = []
    with tempfile.TemporaryDirectory(prefix="bench-run-", ignore_cleanup_errors=True) as folder:
        for _ in range(rounds + 1):
            took_s, steps = _start(Path(folder))
            seconds.append(took_s)
    first, *again = seconds
    figure = Figure("start", "start of `make run` to ready, second start and later", "s", again)
    figure.remarks = f"the first start on an empty folder: {first:.1f} s"
    return steps, figure.at_most("start", figure.value, START_ALLOWED_S, unit="s")


def _start(folder: Path) -> tuple[float, dict[str, float]]:
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
    environment = inherited | {"DATA_DIR": str(folder / "data"), "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    # The installed packages are used as they are; make would only compare dates.
    old = " ".join(f"--old-file=.venv/{name}" for name in (".installed", ".runnable", "bin/tradepost"))
    command = f"make --no-print-directory {old} run"
    began = time.monotonic()
    log_path = folder / f"{port}.log"
    running = Running(command, environment, log_path, port)
    try:
        wait_until(lambda: _is_ready(running), timeout_s=READY_TIMEOUT_S, what=f"make run\n{running.log}")
        took_s = time.monotonic() - began
        steps = {text: float(length) for text, length in STEP.findall(running.log)}
        running.terminate()
    finally:
        running.kill()
    return took_s, steps


def _is_ready(running: Running) -> bool:
    assert running.is_running, running.log
    try:
        with local_http.open_url(f"{running.base_url}/health/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False
