"""The resting orders and the delay of their expiry, as scrapers and operators see them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from models.database import fetch_all
from tests.support.trading import buy
from trading.upkeep.resting_orders import RESTING, count_resting


@pytest.fixture
def rest(trader: UUID, cleaner: Any) -> Callable[[str], UUID]:
    """Return a function that makes an OPEN order with these columns, past the guards, and returns its id."""

    def make(columns: str) -> UUID:
        order_id: UUID = buy(trader, 1, "10.00")["id"]
        with cleaner.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(
                f"UPDATE trading_order SET fill_model = 'QUOTES', status = 'OPEN', {columns} WHERE id = %s",
                (str(order_id),),
            )
            cursor.execute("RESET session_replication_role")
        return order_id

    return make


def test_without_resting_orders_every_figure_is_zero(trader: UUID) -> None:
    buy(trader, 1, "10.00")
    assert count_resting(10) == {"for_price": 0, "for_trigger": 0, "for_session": 0, "expiry_behind_s": 0.0}


def test_orders_are_counted_by_what_is_watched_up_to_the_limit(rest: Callable[[str], UUID]) -> None:
    for _ in range(3):
        rest("due_at = NULL, watch_price = 10.00")
    rest("due_at = NULL, watch_trigger = 11.00")
    rest("watch_price = NULL")  # modified: a worker is due
    rest(
        "watch_price = 10.00, matched_at = clock_timestamp(), match_sequence = 1, match_class = 1, match_price = 10,"
        " fill = '{}', due_at = clock_timestamp()"
    )
    counted = [count_resting(limit) for limit in (2, 3, 100)]
    assert [(found["for_price"], found["for_trigger"]) for found in counted] == [(2, 1), (3, 1), (3, 1)]


def test_expiry_is_behind_by_the_age_of_the_oldest_end(rest: Callable[[str], UUID]) -> None:
    rest("watch_price = 10.00, expires_at = clock_timestamp() + interval '1 hour'")
    assert count_resting(10)["expiry_behind_s"] == 0
    rest("watch_price = 10.00, expires_at = clock_timestamp() - interval '40 s'")
    rest("watch_price = 10.00, expires_at = clock_timestamp() - interval '20 s'")
    assert 40 <= count_resting(10)["expiry_behind_s"] < 70


def test_no_count_reads_the_table(database: Any) -> None:
    """The planner would scan a small table anyway: the plan for a large one is asked with scans and sorts forbidden."""
    database.execute("SET enable_seqscan = off; SET enable_sort = off")
    try:
        plan = "\n".join(row["QUERY PLAN"] for row in fetch_all(f"EXPLAIN {RESTING}", {"limit": 100_000}))
        for index in ("order_watched_price", "order_watched_trigger", "order_expiry"):
            assert f"using {index}" in plan, plan
        assert "Seq Scan" not in plan, plan
    finally:
        database.execute("RESET enable_seqscan; RESET enable_sort")
