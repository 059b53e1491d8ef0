"""The square-off of many positions at once, beside placements: `python -m bench.square_off [--kill]`.

The worker of the Procfile closes the positions; the clock of the market is set to the time of the square-off.
With --kill the worker is killed when half of the positions are closed, and another one goes on.
"""

import argparse
import sys
import threading
import time
from datetime import datetime

from bench.clients.load import CONNECTIONS, LoadError, build_requests
from bench.parts.placement import Bench
from bench.seeding import ACCOUNT_PREFIX, ACCOUNTS, EXCHANGE, OPENING_BALANCE, PRICE, symbol_of
from bench.services import Services, run_to_the_end, running
from embedded.interruption import Interruption
from models.database import DatabaseUnavailable, execute, fetch_one, session, transactional, unbounded
from models.identifiers import new_id
from tests.support.processes import Running
from trading.execution.sweeping import MAX_BATCH, sweep_once
from trading.matching.feed import set_quotes
from trading.rules.charges import charges_for
from trading.rules.margin import margin_for
from trading.rules.sessions import INDIAN_TIME
from trading.rules.terms import Product, Side
from trading.upkeep.backlog import count_pending
from trading.upkeep.verify import verify

POSITIONS_EACH = 10
RATE = 50.0  # placements per second of other accounts
TIME, BEFORE = "15:20", "15:10"
LIMIT_S = 300.0
QUOTES_S = 20.0  # a quote is usable for 60 s

INSERT_ACCOUNTS = """
INSERT INTO account (id, name, balance, fill_model)
SELECT (%(prefix)s || lpad(number::text, 12, '0'))::uuid, 'Holder ' || number, %(balance)s, 'QUOTES'
FROM generate_series(%(first)s, %(last)s) AS number
"""
INSERT_DEPOSITS = """
INSERT INTO fund_transaction (account_id, kind, amount, balance_after, blocked_after)
SELECT id, 'DEPOSIT', balance, balance, 0 FROM account WHERE fill_model = 'QUOTES'
"""
# These orders fill at once: what they leave is what a morning has left.
PLACE = """
SELECT count(placed) AS placed
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS new (id, place), LATERAL placement_at_once(
    new.id, (%(prefix)s || lpad((%(first)s + place - 1)::text, 12, '0'))::uuid, gen_random_uuid(), %(exchange)s,
    %(symbol)s, NULL, 'BUY', 'INTRADAY', 'LIMIT', 1, %(price)s, %(margin)s, %(charges)s, %(items)s,
    (clock_timestamp() AT TIME ZONE 'Asia/Kolkata')::date, NULL, NULL, NULL)
"""
CLOCK = """
CREATE OR REPLACE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql AS $$SELECT clock_timestamp() + interval '{}'$$
"""
AHEAD = """
SELECT (((clock_timestamp() AT TIME ZONE 'Asia/Kolkata')::date + %s::time) AT TIME ZONE 'Asia/Kolkata'
    - clock_timestamp())::text AS ahead
"""
STATE = """
SELECT count(*) FROM position JOIN account ON account.id = account_id WHERE fill_model = 'QUOTES' AND quantity <> 0
"""
TWICE = """
SELECT count(*) FROM (
    SELECT FROM trading_order WHERE origin = 'SQUARE_OFF' GROUP BY position_id HAVING count(*) <> 1) AS wrong
"""


def main() -> int:
    """Run the benchmark and return 0 if all positions were closed once and the ledgers are right."""
    parser = argparse.ArgumentParser(prog="python -m bench.square_off", description=__doc__)
    parser.add_argument("--kill", action="store_true", help="kill the worker when half of the positions are closed")
    parser.add_argument("--accounts", type=int, default=ACCOUNTS, help=f"accounts with positions ({ACCOUNTS})")
    options = parser.parse_args()
    return run_to_the_end(
        lambda interruption: _run(interruption, options.accounts, kills=options.kill), LoadError, DatabaseUnavailable
    )


def _run(interruption: Interruption, accounts: int, *, kills: bool) -> int:
    with running(interruption) as services:
        bench = Bench(services, seconds=1, rounds=1)
        # The other accounts are squared off as well: they buy deliveries, which stay.
        bench.requests[ACCOUNTS] = build_requests(ACCOUNTS, port=services.port, product="DELIVERY")
        positions = _hold(accounts)
        _set_clock(BEFORE)
        worker = _start_worker(services)
        _quote()
        done = threading.Event()
        placer = threading.Thread(target=_place_until, args=(bench, done))
        placer.start()
        took_s, began = 0.0, time.monotonic()
        try:
            _set_clock(TIME)
            _quote()
            took_s = _wait_until_closed(positions, worker, services if kills else None) - began
        finally:
            done.set()
            placer.join()
        return _report(bench, positions, took_s)


def _hold(accounts: int) -> int:
    """Let new accounts hold intraday positions, and return their number."""
    first = ACCOUNTS + 1
    _open_accounts(first, accounts)
    for stock in range(1, POSITIONS_EACH + 1):
        _buy(first, accounts, symbol_of(stock))
    while count_pending():
        sweep_once(limit=MAX_BATCH)
    with unbounded():
        execute("VACUUM (ANALYZE) account, trading_order, position, fund_transaction, event")
    return accounts * POSITIONS_EACH


@transactional
def _open_accounts(first: int, accounts: int) -> None:
    parameters = {"prefix": ACCOUNT_PREFIX, "balance": OPENING_BALANCE, "first": first, "last": first + accounts - 1}
    for statement in (INSERT_ACCOUNTS, INSERT_DEPOSITS):
        execute(statement, parameters)


@transactional
def _buy(first: int, accounts: int, symbol: str) -> None:
    today = datetime.now(INDIAN_TIME).date()
    charges = charges_for(exchange=EXCHANGE, product=Product.INTRADAY, side=Side.BUY, turnover=PRICE, on=today)
    row = fetch_one(
        PLACE,
        {
            "ids": [new_id() for _ in range(accounts)],
            "prefix": ACCOUNT_PREFIX,
            "first": first,
            "exchange": EXCHANGE,
            "symbol": symbol,
            "price": PRICE,
            "margin": margin_for(Product.INTRADAY, PRICE, 1),
            "charges": charges.total,
            "items": charges.as_json(),
        },
    )
    assert row is not None
    assert row["placed"] == accounts


def _quote() -> None:
    set_quotes([(EXCHANGE, symbol_of(number), PRICE) for number in range(1, POSITIONS_EACH + 1)])


def _set_clock(time_of_day: str) -> None:
    with session():
        row = fetch_one(AHEAD, (time_of_day,))
        assert row is not None
        execute(CLOCK.format(row["ahead"]))


def _start_worker(services: Services) -> Running:
    return services.starter.worker(SQUARE_OFF_TIME=TIME)


def _place_until(bench: Bench, done: threading.Event) -> None:
    """Place orders of other accounts at a pace until all is over."""
    while not done.is_set():
        bench.pace(accounts=ACCOUNTS, connections=CONNECTIONS, rate=RATE, seconds=2.0)


def _wait_until_closed(positions: int, worker: Running, services: Services | None) -> float:
    """Wait until no position is open, and return the time; kill the worker half way if services are given."""
    end, quoted_at = time.monotonic() + LIMIT_S, time.monotonic()
    while (left := _count(STATE)) and time.monotonic() < end:
        if services is not None and left <= positions // 2:
            print(f"the worker is killed with {left} positions open", flush=True)
            worker.kill()
            worker, services = _start_worker(services), None
        if time.monotonic() > quoted_at + QUOTES_S:
            quoted_at = time.monotonic()
            _quote()
        time.sleep(0.1)
    return time.monotonic()


def _count(statement: str) -> int:
    with session():
        row = fetch_one(statement)
    assert row is not None
    return int(row["count"])


def _report(bench: Bench, positions: int, took_s: float) -> int:
    left, wrong = _count(STATE), _count(TWICE)
    placed = f"beside {bench.placed} placements"
    print(f"{positions} positions: {left} open after {took_s:.1f} s, {wrong} not closed by one order, {placed}")
    bench.services.settle()
    violations = [str(violation) for violation in verify()]
    for line in violations[:20] or ["the ledgers are right"]:
        print(line)
    return 1 if left or wrong or violations or bench.errors else 0


if __name__ == "__main__":
    sys.exit(main())
