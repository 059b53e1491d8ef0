"""A quote reads its own stock and the orders that it reaches, and nothing else: also on tables without statistics."""

import re

import pytest

from models import database
from tests.support.trading import one, run
from tests.trading.matching.market import put, q, rest, stock_now
from trading.market import quotes
from trading.matching import crossing, feed, last_prices, level_sweep
from trading.matching.feed import MarketRules
from trading.matching.level_sweep import run_once

RESTING, STOCKS = 3_000, 400
NAMES = "account_id, exchange, symbol, side, product, order_type, quantity, price, closing_quantity, blocked_margin"
NAMES += ", charges, charge_items, status, fill_model, waiting_for, due_at"


@pytest.fixture(params=["without statistics", "with statistics"])
def market(request, trader, stock_id):
    """Make many stocks and resting orders, none of which a price between 60.00 and 140.00 reaches."""
    run(
        "INSERT INTO stock (id, exchange, symbol, last_price, last_price_at)"
        " SELECT gen_random_uuid(), 'NSE', 'S' || n, 100, now() FROM generate_series(1, %s) AS n",
        STOCKS,
    )
    for side, price in (("BUY", "50.00"), ("SELL", "150.00")):
        order = rest(trader, stock_id, side, price)
        copy = (
            f"INSERT INTO trading_order (id, stock_id, watch_price, {NAMES}) SELECT gen_random_uuid(), stock.id,"
            f" trading_order.watch_price, {', '.join('trading_order.' + name.strip() for name in NAMES.split(','))}"
            " FROM trading_order, (SELECT id, row_number() OVER () AS n FROM stock) AS stock, generate_series(1, 200)"
            " WHERE trading_order.id = %s AND stock.n <= %s"
        )
        for _ in range(RESTING // 400):
            run(copy, order, 2)
    if request.param == "with statistics":
        with database.session():
            database.execute("VACUUM ANALYZE trading_order, stock")
    return stock_id


@pytest.fixture
def plans(monkeypatch):
    """Return the plans of the statements that a quote runs, as they are run."""
    found = []
    for module in (quotes, crossing, last_prices, level_sweep):
        for name in ("fetch_all", "fetch_one", "execute", "later"):
            usual = getattr(module, name, None)
            if usual is not None:
                monkeypatch.setattr(module, name, explaining(usual, found))
    return found


def explaining(usual, found):
    def run_explained(sql, parameters=(), *row_type):
        *before, statement = [part for part in sql.split(";") if part.strip()]
        if re.match(r"\s*(SELECT|WITH|UPDATE)", statement) and "nextval" not in statement:
            with database.db.atomic() as savepoint:
                for setting in before:
                    database.execute(setting, parameters)
                rows = database.fetch_all(f"EXPLAIN (ANALYZE, BUFFERS, SUMMARY OFF) {statement}", parameters)
                savepoint.rollback()
            found.append("\n".join(row["QUERY PLAN"] for row in rows))
        return usual(sql, parameters, *row_type)

    return run_explained


def buffers(plan):
    """Return the buffers that a plan's statement has touched in all."""
    first = re.search(r"Buffers:(.*)", plan)
    return 0 if first is None else sum(map(int, re.findall(r"(?:hit|read)=(\d+)", first[1])))


@pytest.mark.parametrize("quote", [q("99.00", "101.00", "100.00"), q(None, None, "100.50")], ids=["book", "last price"])
@pytest.mark.parametrize("records_candles", [False, True])
def test_a_quote_that_matches_nothing_reads_little(market, plans, quote, records_candles, monkeypatch):
    monkeypatch.setattr(feed.recorder, "add", list)
    put(quote, records_candles=records_candles)
    assert plans
    for plan in plans:
        assert "Seq Scan" not in plan, plan
    assert sum(map(buffers, plans)) <= 100, "\n\n".join(plans)


def test_a_quote_that_matches_one_order_locks_it_by_its_id(market, trader, plans):
    rest(trader, market, "BUY", "99.00")
    assert put(q("98.00", "99.00", "99.00")).matched == 1
    for plan in plans:
        assert "Seq Scan on trading_order" not in plan, plan
    assert one("SELECT count(*) FROM trading_order WHERE matched_at IS NOT NULL") == 1


def test_a_level_sweep_reads_no_order_that_it_does_not_reach(market, plans):
    put(*[q("99.00", "101.00", "100.00", symbol=f"S{number}") for number in range(STOCKS)])
    plans.clear()
    assert run_once(MarketRules(60)) == []
    (plan,) = plans
    assert "Seq Scan on trading_order" not in plan, plan
    assert stock_now("S1")["is_usable"]
