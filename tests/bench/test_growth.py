"""The growth benchmark loads right ledgers and compares its rounds in pairs."""

from bench.growth.load import READER, Volume, account_id_of, load
from bench.growth.report import Comparison
from bench.seeding import seed
from models.database import fetch_one, session
from trading.upkeep.verify import verify


def test_the_loaded_ledgers_are_right(clean: None, database_url: str) -> None:
    seed()
    load(database_url, Volume(orders=3_000, events=2_600))
    assert verify() == []
    with session():
        row = fetch_one(
            "SELECT (SELECT count(*) FROM trading_order) AS orders, (SELECT count(*) FROM event) AS events,"
            " (SELECT count(*) FROM trading_order WHERE account_id = %s) AS of_the_reader",
            (account_id_of(READER),),
        )
    # and the pattern's own three orders and fourteen events
    assert row is not None
    assert (row["orders"], row["of_the_reader"]) == (3_003, 300)
    assert row["events"] >= 2_600


def test_a_full_database_is_compared_with_the_empty_one_round_by_round() -> None:
    rate, duration = Comparison("placements", "orders/s"), Comparison("latency", "ms", is_rate=False)
    for side, values in (("empty", (100.0, 50.0, 80.0)), ("full", (90.0, 50.0, 40.0))):
        for value in values:
            rate.add(side, value)
            duration.add(side, value)
    assert rate.as_dict()["full_ratios"] == [0.9, 1.0, 0.5]
    assert rate.as_dict()["ratios"] == {"empty": 1.0, "full": 0.9}
    assert rate.as_dict()["reached"]
    assert duration.ratios("full") == [100 / 90, 1.0, 2.0]
