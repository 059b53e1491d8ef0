"""The format of the log: one line about an order for people, and all its facts for machines."""

import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import structlog

from runtime import logs
from runtime.order_log import log_order

ORDER_ID, ACCOUNT_ID = UUID(int=1), UUID(int=2)
ORDER: dict[str, Any] = {
    "id": ORDER_ID,
    "account_id": ACCOUNT_ID,
    "exchange": "NSE",
    "symbol": "RELIANCE",
    "side": "BUY",
    "quantity": 10,
    "order_type": "LIMIT",
    "product": "INTRADAY",
    "price": Decimal("2490.00"),
    "trigger_price": None,
}
MEASURED = {"took_ms": 6.7123, "steps": {"place": 5.0, "commit": 1.2}}
LINE = f"placed BUY 10 NSE:RELIANCE LIMIT 2490.00 acct {ACCOUNT_ID} order {ORDER_ID} 6.7 ms"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Restore the configuration of the log after the test, which begins without the id of an earlier test's request."""
    before = structlog.get_config()
    structlog.contextvars.clear_contextvars()
    yield
    structlog.configure(**before)


def line_of(level: str, output_format: str, *, has_time: bool = True) -> str:
    """Return the line of an order that was placed."""
    stream = io.StringIO()
    logs.configure(level, output_format, stream, has_time=has_time)
    log_order(logs.get_logger("x"), "placement", ORDER, status=202, **MEASURED)
    return stream.getvalue().rstrip("\n")


def test_text_has_one_time_and_one_readable_line() -> None:
    time, _, line = line_of("INFO", "text").partition(" ")
    assert (time[-1], line) == ("Z", LINE)
    assert line_of("INFO", "text", has_time=False) == LINE


def test_all_timings_are_in_json_and_at_debug() -> None:
    facts = json.loads(line_of("INFO", "json"))
    timings = {"took_ms": 6.712, "place_ms": 5.0, "commit_ms": 1.2}
    assert {name: facts[name] for name in timings} == timings
    assert (facts["order_id"], facts["limit_price"]) == (str(ORDER_ID), "2490.00")
    assert line_of("DEBUG", "text").endswith(f"{LINE} took_ms=6.712 place_ms=5.0 commit_ms=1.2")


def test_a_line_above_info_names_its_level() -> None:
    stream = io.StringIO()
    logs.configure("INFO", "text", stream, has_time=False)
    logs.get_logger("x").warning("sweep_failed", error="no answer")
    assert stream.getvalue() == "warning sweep_failed module=x error='no answer'\n"
