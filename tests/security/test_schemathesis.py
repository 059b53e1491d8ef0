"""schemathesis reads the OpenAPI document of the running service and tries to catch it lying."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CRON_SECRET, METRICS_TOKEN
from trading.accounts import tokens

HERE = Path(__file__).resolve().parent


@pytest.fixture
def explore(start, account, quote, tmp_path):
    """Return a function that lets schemathesis loose on a web process with one account and its tokens."""
    web, trader = start.web(WEB_CONCURRENCY="2"), account()
    quote()
    secrets = {
        "ACCOUNT_TOKEN": trader.token,
        "SERVICE_TOKEN": tokens.create_token(["admin", "feed"])[1],
        "CRON_SECRET": CRON_SECRET,
        "METRICS_TOKEN": METRICS_TOKEN,
        "SCHEMATHESIS_HOOKS": "tests.security.agreement",
        "PYTHONPATH": str(HERE.parents[1]),
    }

    def run(seed, max_examples, *options):
        command = [
            "schemathesis",
            "--config-file",
            str(HERE / "schemathesis.toml"),
            "run",
            f"{web.base_url}/openapi.json",
        ]
        command += ["--seed", str(seed), "--max-examples", str(max_examples), *options]
        program = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
        environment = {**os.environ, **secrets, "NO_COLOR": "1", "COLUMNS": "120"}
        done = subprocess.run(program, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=1500)
        assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-4_000:]
        assert "unexpected_error" not in web.log
        return done.stdout

    return run


@pytest.mark.timeout(480)  # 3,500 requests one after the other: 70 s on a machine that does nothing else
def test_the_service_does_what_its_document_says(explore):
    report = explore(1, 4)
    assert "No issues found" in report


@pytest.mark.slow
@pytest.mark.timeout(1600)
def test_the_service_does_what_its_document_says_for_long(request):
    """Takes minutes: make test TESTS=tests/security ARGS="-m slow" (SEED=2)."""
    if "slow" not in request.config.option.markexpr:
        pytest.skip("only with -m slow")
    explore = request.getfixturevalue("explore")
    report = explore(os.environ.get("SEED", 2), 100)
    assert "No issues found" in report
