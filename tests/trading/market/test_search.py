"""The search of stocks; triggers keep the texts that it reads, beside the rows that quotes rewrite."""

import importlib
import random
from decimal import Decimal
from typing import Any

import pytest

from models.database import execute, fetch_all, session
from models.functions import fix_search_path
from tests.support.trading import one, rows
from trading.market import search
from trading.market.quotes import GivenQuote
from trading.market.stocks import import_stocks
from trading.matching.feed import MarketRules, receive_quotes, set_quotes
from trading.matching.stock_changes import ImportedFacts, set_facts

TCS, INFY = ("NSE", "TCS"), ("NSE", "INFY")
NAMES = {TCS: "Tata Consultancy Services", INFY: "Infosys"}
# The columns of a stock that indexes may have: those that no quote changes.
LASTING = {"id", "exchange", "symbol", "name", "instrument_token"}


@pytest.fixture
def stocks(clean: None) -> None:
    """Create two stocks with names."""
    import_stocks(NAMES, NAMES)


def found(text: str, **options: Any) -> list[str]:
    """Return the symbols that a search finds."""
    return [row["symbol"] for row in search.search_stocks(text, **({"exchange": None, "limit": 50} | options))]


def test_no_index_has_a_column_that_a_quote_changes(database: Any) -> None:
    columns = rows(
        """SELECT DISTINCT attname AS name
           FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
           WHERE indrelid = 'stock'::regclass"""
    )
    assert {row["name"] for row in columns} <= LASTING
    assert one("SELECT count(*) FROM pg_index WHERE indrelid = 'stock'::regclass AND indexprs IS NOT NULL") == 0


def test_a_quote_and_new_facts_leave_the_texts_alone(stocks: None) -> None:
    versions = "SELECT array_agg((xmin::text, ctid::text) ORDER BY symbol) FROM stock_search"
    before = one(versions)
    set_quotes([("NSE", "TCS", Decimal("4000.00"))])
    receive_quotes([GivenQuote(*INFY, last_price=Decimal("1500.00"), bid_price=Decimal("1499.00"))], MarketRules())
    set_facts([ImportedFacts(*TCS, tick_size=Decimal("0.05"), name=NAMES[TCS])])
    import_stocks(NAMES)
    assert one(versions) == before
    set_facts([ImportedFacts(*TCS, name="Another")])
    assert one(versions) != before


@pytest.mark.one_bucket("the migration makes shared tables")
def test_stocks_that_were_there_before_the_migration_are_found(stocks: None) -> None:
    with session():
        fetch_all("DELETE FROM stock_search RETURNING 1")
        assert found("infosys") == []
        importlib.import_module("models.migrations.0014_stock_search").up(None, None)
        execute(importlib.import_module("models.migrations.0022_function_paths").BOUND)
        fix_search_path("let_stock_be_found", "parts_of")  # it has replaced them
    assert found("infosys") == ["INFY"]
    import_stocks([("NSE", "NEW")], {("NSE", "NEW"): "Infosys Too"})
    assert found("infosys") == ["INFY", "NEW"]


@pytest.mark.parametrize("text", ["zq", "tata", "consultancy", "nowhere to be found"])
def test_a_rare_text_is_found_along_the_index_of_parts(
    stocks: None, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    import_stocks(("NSE", f"S{number}") for number in range(500))
    plans: list[str] = []

    def explain(sql: str, parameters: Any, _: Any) -> list[Any]:
        plans.append("\n".join(row["QUERY PLAN"] for row in fetch_all(f"EXPLAIN {sql}", parameters)))
        return []

    monkeypatch.setattr(search, "fetch_all", explain)
    found(text)
    (plan,) = plans
    assert plan.count("Bitmap Index Scan on stock_search_by_part") == 2, plan
    assert "parts_of" not in "".join(line for line in plan.splitlines() if "Filter:" in line), plan


def test_a_text_that_very_many_stocks_contain_lists_the_first_by_symbol(
    clean: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {("NSE", f"S{number:03}"): "Steel Limited" if number % 2 else "Unlimited" for number in range(400)}
    names |= {("NSE", "ZLIMIT"): "Zebra", ("NSE", "LIMITLESS"): "Zebra", ("NSE", "Z"): "Limits"}
    import_stocks(names, names)
    monkeypatch.setattr(search, "SEARCH", search.SEARCH.replace(f"LIMIT {search.FIRST_STOCKS}", "LIMIT 100"))
    words = [f"S{number:03}" for number in range(1, 400, 2)]
    assert found("limit", limit=5) == ["LIMITLESS", *words[:4]]
    assert found("limit", limit=200) == ["LIMITLESS", *words[:199]]
    # Few of the first hundred stocks have it, so that the index is asked.
    assert found("zebra") == ["LIMITLESS", "ZLIMIT"]
    others = [f"S{number:03}" for number in range(0, 400, 2)]
    assert found("nlimite", limit=20) == others[:20]
    assert found("nlimite", limit=200) == others[:200]


def reckoned(names: dict[tuple[str, str], str | None], text: str, exchange: str | None, limit: int) -> list[str]:
    """Return what a search must find, reckoned from all stocks."""
    ranked = []
    for (where, symbol), name in names.items():
        ranks = (symbol.lower().startswith(text), f" {name or ''}".find(f" {text}") >= 0)
        if exchange in (None, where) and (text in symbol.lower() or text in (name or "")):
            ranked.append(((0, 2 - ranks[1])[not ranks[0]], symbol, where))
    return [symbol for _, symbol, _ in sorted(ranked)[:limit]]


def test_a_search_finds_what_a_look_at_every_stock_finds(clean: None, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(7)
    keys = {(chance.choice(("NSE", "BSE")), "".join(chance.choices("ABC", k=chance.randint(1, 5)))) for _ in range(300)}
    names = {key: "".join(chance.choices("abc ", k=chance.randint(1, 12))).strip() or None for key in sorted(keys)}
    import_stocks(names, {key: name for key, name in names.items() if name})
    monkeypatch.setattr(search, "SEARCH", search.SEARCH.replace(f"LIMIT {search.FIRST_STOCKS}", "LIMIT 20"))
    for _ in range(200):
        text = "".join(chance.choices("abc ", k=chance.randint(1, 5))).strip() or "a"
        exchange, limit = chance.choice((None, "NSE")), chance.choice((1, 3, 10, 200))
        assert found(text, exchange=exchange, limit=limit) == reckoned(names, text, exchange, limit), (text, limit)
