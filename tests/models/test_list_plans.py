"""Every page of a list costs as much as the first: it is read along an index, in the order of the index."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from api.http import pagination
from schemas.fields import format_timestamp
from tests.support.trading import buy, execute, run
from tests.trading.settlement.days import let_days_pass
from trading.accounts.tokens import create_token
from trading.events import reading

LISTS = {
    "orders": "/api/trading/orders?limit=2",
    "trades": "/api/trading/trades?limit=2",
    "transactions": "/api/trading/transactions?limit=2",
    "positions": "/api/trading/positions?limit=2",
    "holdings": "/api/trading/holdings?limit=2",
    "tokens": "/api/trading/tokens?limit=2",
    "stocks-of-an-exchange": "/api/market/stocks?limit=2&exchange=NSE",
    "stocks": "/api/market/stocks?limit=2",
    "stocks-by-prefix": "/api/market/stocks?limit=2&prefix=S",
    "events": "/api/trading/events?limit=2&since=0",
}
FORBIDDEN = ("seqscan", "bitmapscan", "sort", "incremental_sort")


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Return the queries of the lists in their order, each with its parameters."""
    asked: list[tuple[str, Any]] = []
    for module in (pagination, reading):
        usual = module.fetch_all

        def remember(sql: str, parameters: Any, *row_type: Any, usual: Any = usual) -> Any:
            asked.append((sql, parameters))
            return usual(sql, parameters, *row_type)

        monkeypatch.setattr(module, "fetch_all", remember)
    return asked


@pytest.fixture
def trader(account: Any, place: Any) -> Any:
    """Return an account with more rows in every list than a page holds."""
    trader = account()
    execute(*[buy(trader.id, 1, "10.00", symbol=f"S{number}") for number in range(5)])
    execute(*[buy(trader.id, 1, "10.00", symbol=f"S{number}", product="DELIVERY") for number in range(5)])
    let_days_pass()
    for _ in range(5):
        create_token(["read"], account_id=trader.id)
    return trader


def next_page(name: str, page: dict[str, Any]) -> str:
    """Return the address of the next page."""
    if name == "events":
        return LISTS[name].replace("since=0", f"since={page['data'][-1]['id']}")
    return f"{LISTS[name]}&cursor={page['nextCursor']}"


def plan_of(queries: list[tuple[str, Any]], database: Any, forbidden: Sequence[str]) -> str:
    """Return the plan of the only query without these methods."""
    ((sql, parameters),) = queries
    try:
        # With statistics, of another test or made by the server since, the planner may read a small table by id alone.
        database.execute("DELETE FROM pg_statistic WHERE starelid >= 16384")
        for method in forbidden:
            database.execute(f"SET enable_{method} = off")
        return "\n".join(row["QUERY PLAN"] for row in database.fetch_all(f"EXPLAIN {sql}", parameters))
    finally:
        for method in forbidden:
            database.execute(f"RESET enable_{method}")


@pytest.mark.parametrize("name", LISTS)
def test_a_page_behind_the_first_is_read_along_an_index(
    name: str, client: Any, trader: Any, queries: list[tuple[str, Any]], database: Any
) -> None:
    """The planner scans small tables in any case: with scans forbidden it shows its plan for large ones."""
    first = client.get(LISTS[name], headers=trader.headers)
    assert first.status_code == 200, first.text
    queries.clear()
    second = client.get(next_page(name, first.json), headers=trader.headers)
    assert len(second.json["data"]) == 2
    assert second.json["data"] != first.json["data"]
    plan = plan_of(queries, database, FORBIDDEN)
    assert "Index" in plan, plan
    assert "Seq Scan" not in plan, plan
    assert "Sort" not in plan, plan
    # The scan begins at the cursor, within the rows of the account or of the exchange if the list has one.
    at_the_cursor, in_its_rows = r"ROW\(symbol, exchange\) > ", r"\((account_id|exchange) = .* AND .* [<>]=? "
    wanted = at_the_cursor if name.startswith("stocks") else in_its_rows
    if name == "stocks-of-an-exchange":  # on a small table both indexes cost the planner the same
        wanted = f"{at_the_cursor}|{in_its_rows}"
    elif name == "tokens":  # so do they here, with the tokens of one account only
        wanted = f"{in_its_rows}|id < "
    assert re.search(rf"Index Cond: \(.*?({wanted})", plan), plan


# Cancelled orders of the account, as many as make an index of live ones worth while.
CANCELLED = """
SET LOCAL session_replication_role = replica;
INSERT INTO trading_order (id, account_id, stock_id, exchange, symbol, side, product, order_type, quantity, price,
                           status, closing_quantity, blocked_margin, charges, charge_items, placed_at)
SELECT gen_random_uuid(), %s, (SELECT id FROM stock LIMIT 1), 'NSE', 'S0', 'BUY', 'INTRADAY', 'LIMIT', 1, 10,
       'CANCELLED', 0, 0, 0, '{}', now() - number * interval '1 minute'
FROM generate_series(1, 2000) AS number
"""


@pytest.mark.parametrize("statuses", ["PENDING", "OPEN", "PENDING,OPEN"])
def test_live_orders_are_read_along_an_index_that_has_no_others(
    statuses: str, client: Any, trader: Any, queries: list[tuple[str, Any]], database: Any
) -> None:
    run(CANCELLED, trader.id)
    assert client.get(f"/api/trading/orders?status={statuses}", headers=trader.headers).status_code == 200
    plan = plan_of(queries, database, FORBIDDEN)
    assert re.search(
        r"Index Scan Backward using order_live on trading_order .*\n *Index Cond: \(account_id = ", plan
    ), plan
    assert "Sort" not in plan, plan


def test_orders_that_changed_lately_are_read_along_two_indexes(
    client: Any, trader: Any, queries: list[tuple[str, Any]], database: Any
) -> None:
    moment = format_timestamp(datetime.now(UTC))
    assert client.get(f"/api/trading/orders?updatedFrom={moment}", headers=trader.headers).status_code == 200
    plan = plan_of(queries, database, ("seqscan", "bitmapscan"))
    assert re.search(r"order_changed_late on .*\n *Index Cond: \(\(account_id = .* AND \(updated_at >= ", plan), plan
    assert re.search(r"order_list on .*\n *Index Cond: \(\(account_id = .* AND \(placed_at >= ", plan), plan
    assert "Seq Scan" not in plan, plan
