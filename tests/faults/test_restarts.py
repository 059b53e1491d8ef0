"""G19 and a suspended machine: workers are replaced or go on, and no request waits or is lost."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import psutil
import pytest
import requests

from tests.faults.system import BOOT_S, System
from tests.support.processes import Running, wait_until

pytestmark = pytest.mark.faults

# A new worker starts in a second or two; no request waits for the 20 s that a stopping worker gives its clients.
LONGEST_WAIT_S = 10.0
TIMEOUT_S = 4


class Asking:
    """A client that sends one request after the other, each on a new connection."""

    def __init__(self, web: Running) -> None:
        self.failures: list[str] = []
        self.seconds: list[float] = []
        self._url = f"{web.base_url}/health/live"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask_on)

    def __enter__(self) -> "Asking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _ask_on(self) -> None:
        while not self._stop.wait(0.01):
            start = time.monotonic()
            try:
                status = requests.get(self._url, timeout=60).status_code
                if status != 200:
                    self.failures.append(str(status))
            except requests.RequestException as error:
                self.failures.append(repr(error))
            self.seconds.append(time.monotonic() - start)


@pytest.fixture
def idle(system: System) -> Iterator[list[requests.Session]]:
    """Return a list of clients that keep a connection open after their request."""
    sessions: list[requests.Session] = []
    yield sessions
    for session in sessions:
        session.close()


def workers_of(web: Running) -> set[int]:
    """Return the ids of the worker processes."""
    return {child.pid for child in psutil.Process(web.pid).children()}


def ask_and_keep(web: Running, idle: list[requests.Session]) -> None:
    """Send a request, and keep the connection open."""
    idle.append(requests.Session())
    assert idle[-1].get(f"{web.base_url}/health/live", timeout=20).status_code == 200


def watch_until_replaced(web: Running, workers: set[int]) -> Asking:
    """Send requests until all these workers are replaced."""
    with Asking(web) as asking:
        wait_until(lambda: not workers & workers_of(web), timeout_s=BOOT_S, what=lambda: f"replaced\n{web.log}")
        asked = len(asking.seconds)
        wait_until(lambda: len(asking.seconds) > asked + 10)
    return asking


def test_g19_a_worker_that_has_served_its_number_is_replaced_before_it_goes(
    system: System, idle: list[requests.Session]
) -> None:
    web = system.start_web(GUNICORN_CMD_ARGS="--max-requests 50")
    ask_and_keep(web, idle)
    asking = watch_until_replaced(web, workers_of(web))
    assert asking.failures == []
    assert max(asking.seconds) < LONGEST_WAIT_S


@pytest.mark.parametrize("workers", ["1", "2"])
def test_g19_a_reload_lets_no_request_wait_and_loses_none(
    system: System, idle: list[requests.Session], workers: str
) -> None:
    web = system.start_web(WEB_CONCURRENCY=workers)
    wait_until(lambda: len(workers_of(web)) == int(workers))
    ask_and_keep(web, idle)
    before = workers_of(web)  # a new one may begin at once
    web.signal(signal.SIGHUP)
    asking = watch_until_replaced(web, before)
    assert asking.failures == []
    assert max(asking.seconds) < LONGEST_WAIT_S
    wait_until(lambda: len(workers_of(web)) == int(workers))


def test_f38_workers_that_stood_still_with_the_whole_machine_live_on(system: System) -> None:
    web = system.start_web(GUNICORN_CMD_ARGS=f"--timeout {TIMEOUT_S}", WEB_CONCURRENCY="2")
    wait_until(lambda: len(workers_of(web)) == 2)
    before = workers_of(web)
    web.signal_all(signal.SIGSTOP)
    time.sleep(TIMEOUT_S + 1.5)  # there is nothing to be awaited: everything stands still
    web.signal(signal.SIGCONT)
    time.sleep(1.5)  # the main process wakes first, and looks at its workers every second
    web.signal_all(signal.SIGCONT)
    with Asking(web) as asking:
        wait_until(lambda: len(asking.seconds) > 100)
        time.sleep(1.5)
    assert asking.failures == []
    assert workers_of(web) == before
    assert "WORKER TIMEOUT" not in web.log


def test_f38_a_worker_that_hangs_alone_is_still_replaced(system: System) -> None:
    web = system.start_web(GUNICORN_CMD_ARGS=f"--timeout {TIMEOUT_S}")
    (hanging,) = workers_of(web)
    os.kill(hanging, signal.SIGSTOP)
    wait_until(lambda: hanging not in workers_of(web), timeout_s=BOOT_S)
    web.wait_until_ready(BOOT_S)


@pytest.mark.long
def test_f38_a_pause_of_35_seconds_ends_no_worker_with_the_settings_as_they_are(system: System) -> None:
    web = system.start_web()
    before = workers_of(web)
    web.signal_all(signal.SIGSTOP)
    time.sleep(35)
    web.signal(signal.SIGCONT)
    time.sleep(1.5)
    web.signal_all(signal.SIGCONT)
    with Asking(web) as asking:
        wait_until(lambda: len(asking.seconds) > 100)
    assert asking.failures == []
    assert workers_of(web) == before
