"""Whatever posts to a ledger numbers the entries of the account 1, 2, 3 …"""

from tests.support.trading import at_once, buy, cancel, execute, hold, one, rows
from trading.accounts import administration


def numbers(account_id):
    found = rows("SELECT id FROM fund_transaction WHERE account_id = %s ORDER BY id", account_id)
    return [row["id"] for row in found]


def counter(account_id):
    return one("SELECT last_entry_id FROM account WHERE id = %s", account_id)


def test_every_way_to_post_counts_on(trader, quote):
    quote("RELIANCE", "100.00")
    hold(trader, "BUY", 2, "100.00")
    hold(trader, "SELL", 2, "120.00")
    cancel(buy(trader, 1, "10.00"))
    execute(buy(trader, 1))
    administration.move_funds(trader, "DEPOSIT", 5)
    assert numbers(trader) == list(range(1, counter(trader) + 1))
    assert counter(trader) > 10


def test_entries_at_the_same_time_have_no_gap(trader):
    at_once([lambda: [buy(trader, 1, "1000.00") for _ in range(5)]] * 4)  # each with margin and charges
    assert numbers(trader) == list(range(1, 1 + 2 * 20 + 1))
