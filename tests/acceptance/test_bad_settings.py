"""Settings that cannot work: each stops a process at its start, with one line, before anything is served."""

import os
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.processes import Running, free_port

pytestmark = pytest.mark.acceptance
COMMANDS = {
    "web": "gunicorn 'api:create_app()'",
    "worker": "dramatiq actors.worker:boot --processes 1 --threads 1 --skip-logging",
    "release": "flask --app api db upgrade",
    "command": "flask --app api accounts list",
    "make run": f"{shlex.quote(sys.executable)} -m embedded.run",
}
# The first port that a user needs no right for; below it one is needed.
FREE_FROM = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


@pytest.fixture
def refusal_of(process_environment, tmp_path):
    """Return a function that runs a command which must end by itself, and returns the lines that it prints."""

    def run(command, **settings):
        own = {"PORT": str(free_port()), "DATA_DIR": str(tmp_path), "WEB_CONCURRENCY": "2"}
        running = Running(command, process_environment | own | settings, tmp_path / "log")
        try:
            assert running.wait() == 1, running.log
        finally:
            if running.is_running:  # it was not refused: let it end what it has started
                running.terminate()
            running.kill()
        return running.log.splitlines()

    return run


@pytest.mark.parametrize(
    ("variable", "query"), [("DATABASE_URL", "pgbouncer=true"), ("REDIS_URL", "decode_responses=true")]
)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_url_that_cannot_work_is_refused_by_every_process(refusal_of, process_environment, name, variable, query):
    url = process_environment[variable]
    bad = f"{url}{'&' if '?' in url else '?'}{query}"
    lines = refusal_of(COMMANDS[name], **{variable: bad})
    (line,) = [line for line in lines if not line.startswith("Worker with PID")]  # as Dramatiq adds
    assert line.startswith(f"tradepost: {variable} ")
    assert query.partition("=")[0] in line
    assert url not in line


def test_web_does_not_start_without_the_broker_that_it_is_told_to_use(refusal_of):
    (line,) = refusal_of(COMMANDS["web"], REDIS_URL="")
    assert line.startswith("tradepost: REDIS_URL is not set")


def test_web_says_at_once_that_it_may_not_have_its_port(refusal_of):
    port = int(FREE_FROM.read_text()) - 1 if FREE_FROM.exists() else 80
    if port <= 0:
        pytest.skip("every user may listen on every port here")
    if os.geteuid() != 0:
        without_right = ""
    elif shutil.which("setpriv"):
        without_right = "setpriv --bounding-set -net_bind_service "
    else:
        pytest.skip("root may listen on every port, and there is no setpriv to take that right away")
    lines = refusal_of(without_right + COMMANDS["web"], PORT=str(port))
    assert lines[-1] == f"tradepost: this user may not listen on PORT {port}: use one from 1024 up"
    assert "Permission denied" not in "\n".join(lines)


def test_on_one_machine_web_and_metrics_need_two_ports(refusal_of):
    port = str(free_port())
    (line,) = refusal_of(COMMANDS["make run"], PORT=port, METRICS_PORT=port)
    assert line == f"tradepost: METRICS_PORT and PORT are both {port}: choose another METRICS_PORT"
