"""What several tests of the HTTP door prepare."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from actors import broker
from api import create_app
from config import RateLimit, Settings
from tests.support.sessions import close_market


@pytest.fixture
def document(client: Any) -> dict[str, Any]:
    """Return the served OpenAPI document."""
    found: dict[str, Any] = client.get("/openapi.json").get_json()
    return found


@pytest.fixture
def market_closed(app: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function that closes the market for the next days."""

    def close() -> None:
        close_market()
        monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, market_calendar="NSE"))

    return close


@pytest.fixture
def limited_client(settings: Any, clean: None, configured: None) -> Any:
    """Return a function that makes a client of an application with a limit."""

    def make(count: int = 3, period_s: int = 60, **changes: Any) -> Any:
        limited = dataclasses.replace(settings, rate_limit_orders=RateLimit(count, period_s), **changes)
        return create_app(limited).test_client()

    yield make
    broker.configure(settings, role="web")


@pytest.fixture
def run(app: Any) -> Callable[..., Any]:
    """Return a function that runs a command; the result has exit_code, stdout and stderr."""
    invoke: Callable[..., Any] = app.test_cli_runner().invoke
    return invoke


@pytest.fixture
def run_well(run: Any) -> Callable[..., str]:
    """Return a function that runs a command, checks that it succeeds, and returns its output."""

    def make(*arguments: str) -> str:
        result = run(args=list(arguments))
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return str(result.stdout)

    return make


@pytest.fixture
def run_badly(run: Any) -> Callable[..., str]:
    """Return a function that runs a command, checks that it fails, and returns its one line."""

    def make(*arguments: str) -> str:
        result = run(args=list(arguments))
        assert (result.exit_code, result.stdout) == (1, ""), result.output
        assert result.stderr.endswith("\n")
        assert result.stderr.count("\n") == 1
        return str(result.stderr)

    return make
