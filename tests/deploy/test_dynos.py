"""Procfile dynos: the release phase, web, and two workers, with TLS to PostgreSQL and to Redis."""

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from honcho.environ import parse_procfile

import config
from runtime.redis_pool import make_pool
from tests.acceptance.conftest import Trader
from tests.deploy.tls import TlsFront
from tests.support.processes import ROOT, ProcessStarter, Running, free_port, wait_until
from trading.upkeep.verify import verify

PROCFILE = dict(parse_procfile((ROOT / "Procfile").read_text()).processes)
APP = json.loads((ROOT / "app.json").read_text())
ESSENTIAL_0_CONNECTIONS = 20  # the plan's limit, as docs/deploy/dynos.md says


def test_an_order_goes_through_the_dynos_and_two_workers_share_the_work(
    start: ProcessStarter,
    production: dict[str, str],
    account: Callable[..., Any],
    postgres_over_tls: TlsFront,
    redis_over_tls: TlsFront,
) -> None:
    environment = start.environment | production
    release = subprocess.run(PROCFILE["release"], shell=True, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert release.returncode == 0, release.stderr
    workers = [start.worker(**production) for _ in range(2)]
    web = start.web(**production)
    for worker in workers:
        worker.wait_for_log("ready for action")
    trader = Trader(web, account().token)

    answer = trader.place()
    assert answer.status_code == 202
    trader.wait_for(answer.json()["orderId"])

    placed = [answer.json()["orderId"]]

    def both_have_worked() -> bool:
        placed.extend(trader.place(quantity=1).json()["orderId"] for _ in range(20))
        return all(" executed " in worker.log for worker in workers)

    wait_until(both_have_worked, timeout_s=30, what="both workers execute orders")
    for order_id in placed:
        trader.wait_for(order_id)
    for worker in workers:
        worker.signal_all(signal.SIGTERM)
    assert [worker.wait(30) for worker in workers] == [0, 0]
    # Every order once, in one of the two.
    executed = re.findall(r" executed .*? order (\S+)", "".join(worker.log for worker in workers))
    assert sorted(executed) == sorted(placed)
    (position,) = trader.read("positions")["data"]
    assert position["quantity"] == 10 + len(placed) - 1
    assert verify() == []
    # Redis is within reach over TLS, though a busy machine may have made it seem away for a moment.
    wait_until(lambda: is_ready(web), timeout_s=30, what="ready is ok")
    assert web.log.count("dispatch_left_to_sweeping") < len(placed)
    assert web.terminate(30) == 0
    assert min(postgres_over_tls.handshakes, redis_over_tls.handshakes) >= 3


def is_ready(web: Running) -> bool:
    """Return True if /health/ready is ok."""
    return requests.get(f"{web.base_url}/health/ready", timeout=30).json()["status"] == "ok"


@pytest.fixture(params=["front", "server"])
def rediss_url(request: pytest.FixtureRequest, redis_over_tls: TlsFront) -> str:
    """Return the URL of a Redis with TLS: one behind it, and one that speaks it itself."""
    if request.param == "front":
        return f"rediss://127.0.0.1:{redis_over_tls.port}"
    return str(request.getfixturevalue("tls_server"))


@pytest.fixture
def tls_server(certificate: Path, tmp_path: Path) -> Iterator[str]:
    """Start a server from the system's packages, where there is one that was built with TLS."""
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        pytest.skip("no valkey-server or redis-server on this machine, and the wheel's speaks no TLS")
    port = free_port()
    tls = ["--tls-port", str(port), "--tls-auth-clients", "no", "--tls-ca-cert-file", str(certificate)]
    tls += ["--tls-cert-file", str(certificate), "--tls-key-file", str(certificate)]
    place = ["--bind", "127.0.0.1", "--port", "0", "--dir", str(tmp_path), "--save", "", "--requirepass", "hosted"]
    server = subprocess.Popen([program, *place, *tls], stdout=subprocess.DEVNULL)
    yield f"rediss://:hosted@127.0.0.1:{port}"
    server.terminate()
    server.wait(10)


def test_a_self_signed_certificate_is_taken_unless_the_url_asks_for_a_proper_one(rediss_url: str) -> None:
    client = redis.Redis.from_pool(make_pool(rediss_url, timeout_s=5))
    wait_until(lambda: answers(client), what="the server answers over TLS")
    client.rpush("tradepost:tls", "message")
    assert client.blmove("tradepost:tls", "tradepost:tls", 1, "LEFT", "LEFT") == b"message"
    strict = redis.Redis.from_pool(make_pool(f"{rediss_url}?ssl_cert_reqs=required", timeout_s=5))
    with pytest.raises(redis.ConnectionError, match=r"(?i)certificate.verify.failed"):
        strict.ping()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def settings_of_app_json() -> config.Settings:
    """Load the settings that app.json and its add-ons make."""
    given = {name: entry["value"] for name, entry in APP["env"].items() if "value" in entry}
    generated = {
        name: "0f" + "4b7a9c21" * 7 for name, entry in APP["env"].items() if entry.get("generator") == "secret"
    }
    addons = {"DATABASE_URL": "postgres://u:p@db.example.com/d", "REDIS_URL": "rediss://:p@redis.example.com:6380"}
    return config.load(given | generated | addons)


def test_production_accepts_the_settings_of_app_json() -> None:
    settings = settings_of_app_json()
    assert set(APP["formation"]) == set(PROCFILE) - {"release"}
    assert settings.is_production
    assert {field.upper() for field in vars(settings)} | {"TRADEPOST_ENV"} >= set(APP["env"])
    assert {name.split(":")[0] for name in APP["addons"]} == {"heroku-postgresql", "heroku-redis", "scheduler"}


def test_app_json_asks_for_no_more_than_its_plans_allow() -> None:
    # https://devcenter.heroku.com/articles/scaling, read 2026-11-25: one Eco or one Basic dyno per process type.
    assert {(dynos["size"], dynos["quantity"]) for dynos in APP["formation"].values()} == {("basic", 1)}
    settings = settings_of_app_json()
    web = settings.web_concurrency * settings.database_pool_size
    worker = settings.worker_processes * (settings.worker_threads + 2)  # actors.worker.boot
    commands = len(["the release phase", "the scheduler", "heroku run"])
    assert "heroku-postgresql:essential-0" in APP["addons"]
    assert web + worker + commands < ESSENTIAL_0_CONNECTIONS
    assert f"**{web + worker + commands}**" in (ROOT / "docs/deploy/dynos.md").read_text()


def test_one_version_of_python_is_deployed() -> None:
    version = (ROOT / ".python-version").read_text().strip()
    images = re.findall(r"^FROM python:(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert set(images) == {f"{version}-slim"}
