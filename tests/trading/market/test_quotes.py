"""Last traded prices."""

import functools
from decimal import Decimal

from tests.support.trading import at_once, buy, execute, one, rows, run
from trading.market.stocks import import_stocks
from trading.matching.feed import set_quotes

D = Decimal


def prices():
    found = rows("SELECT exchange, symbol, last_price FROM stock ORDER BY exchange, symbol")
    return {(row["exchange"], row["symbol"]): row["last_price"] for row in found}


def test_quotes_set_prices_and_create_unknown_stocks(clean):
    set_quotes([("NSE", "TCS", D("100.00")), ("BSE", "TCS", D("101.00"))])
    set_quotes([("NSE", "TCS", D("102.50")), ("NSE", "M&M", D("1.00"))])
    assert prices() == {("BSE", "TCS"): D("101.00"), ("NSE", "M&M"): D("1.00"), ("NSE", "TCS"): D("102.50")}
    assert rows("SELECT 1 FROM stock WHERE last_price_at IS NULL") == []


def test_a_new_quote_has_a_new_time(clean):
    times = []
    for _ in range(2):
        set_quotes([("NSE", "TCS", D("100.00"))])
        times.append(one("SELECT last_price_at FROM stock"))
    assert times[0] < times[1]


def test_the_last_quote_of_a_stock_counts(clean):
    set_quotes([("NSE", "TCS", D("100.00")), ("NSE", "TCS", D("99.00"))])
    assert prices() == {("NSE", "TCS"): D("99.00")}


def test_a_quote_activates_an_inactive_stock(clean):
    set_quotes([("NSE", "TCS", D("100.00"))])
    run("UPDATE stock SET is_active = false")
    set_quotes([("NSE", "TCS", D("100.00"))])
    assert one("SELECT is_active FROM stock") is True


def test_an_empty_list_of_quotes_changes_nothing(clean):
    set_quotes([])
    assert prices() == {}


def test_a_thousand_quotes_fit_in_one_call(clean):
    set_quotes([("NSE", f"S{number}", D(number + 1)) for number in range(1000)])
    assert one("SELECT sum(last_price) FROM stock") == 500_500


def test_stocks_are_imported_without_a_price_and_counted_when_new(clean):
    set_quotes([("NSE", "TCS", D("100.00"))])
    assert import_stocks([("NSE", "TCS"), ("NSE", "INFY"), ("NSE", "INFY"), ("BSE", "INFY")]) == 2
    assert prices() == {("NSE", "TCS"): 100, ("NSE", "INFY"): None, ("BSE", "INFY"): None}
    assert import_stocks([("NSE", "TCS"), ("NSE", "INFY")]) == 0
    assert import_stocks([]) == 0


def test_an_import_makes_an_inactive_stock_active_again_and_keeps_its_price(clean):
    set_quotes([("NSE", "TCS", D("100.00"))])
    run("UPDATE stock SET is_active = false")
    import_stocks([("NSE", "TCS")])
    assert rows("SELECT is_active, last_price FROM stock") == [{"is_active": True, "last_price": D("100.00")}]


def test_feeds_in_opposite_order_do_not_deadlock(clean, monkeypatch):
    monkeypatch.setattr("models.database.MAX_ATTEMPTS", 1)
    quotes = [("NSE", f"S{number}", D("10.00")) for number in range(50)]

    def feed(mine):
        for _ in range(10):
            set_quotes(mine)

    at_once([functools.partial(feed, quotes), functools.partial(feed, quotes[::-1])] * 2)
    assert len(prices()) == 50


def test_quotes_and_placements_at_once_do_not_deadlock(trader, monkeypatch):
    monkeypatch.setattr("models.database.MAX_ATTEMPTS", 1)
    symbols = [f"S{number}" for number in range(10)]

    def feed():
        for _ in range(5):
            set_quotes([("NSE", symbol, D("10.00")) for symbol in reversed(symbols)])

    def trade():
        return [execute(buy(trader, 1, "10.00", symbol=symbol)).executed for symbol in symbols]

    assert at_once([feed, trade, feed])[1] == [1] * 10
