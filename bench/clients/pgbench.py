"""The reference: the rate of PostgreSQL itself when pgbench sends the plain statements of a placement.

This reference is fixed. It is the sequence of the accounting rules, section 5: one prepared statement per step between
BEGIN and COMMIT, on the same server and tables with every trigger on. It stays the same when the placement is
optimised; only changes of the tables' columns are followed.
"""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bench.seeding import ACCOUNT_PREFIX, EXCHANGE, PRICE, STOCKS, SYMBOL_PREFIX
from embedded.postgres import binary
from models.database import fetch_one, session
from trading.rules.charges import charges_for
from trading.rules.margin import margin_for
from trading.rules.terms import Product, Side

SIDE = Side.BUY
PRODUCT = Product.INTRADAY
THREADS = 2
EXIT_TIMEOUT_S = 30

SCRIPT = f"""
\\set account_number random(1, :accounts)
\\set stock_number random(1, {STOCKS})
BEGIN;
SELECT id AS account_id, status AS account_status, available_margin FROM account
    WHERE id = ('{ACCOUNT_PREFIX}' || lpad(:account_number, 12, '0'))::uuid FOR NO KEY UPDATE \\gset
SELECT id AS stock_id, symbol, last_price, is_active FROM stock
    WHERE exchange = '{EXCHANGE}' AND symbol = '{SYMBOL_PREFIX}' || :stock_number \\gset
SELECT quantity FROM position
    WHERE account_id = :account_id AND stock_id = :stock_id AND product = '{PRODUCT}';
SELECT coalesce(sum(closing_quantity), 0) AS promised FROM trading_order
    WHERE account_id = :account_id AND stock_id = :stock_id AND product = '{PRODUCT}' AND side = '{SIDE}'
      AND status = 'PENDING' \\gset
INSERT INTO trading_order (id, account_id, stock_id, exchange, symbol, side, product, order_type, quantity,
                           price, closing_quantity, blocked_margin, charges, charge_items)
    VALUES (@new_id@, :account_id, :stock_id, '{EXCHANGE}', :symbol, '{SIDE}', '{PRODUCT}', 'LIMIT', 1,
            {PRICE}, 0, @margin@, @charges@, '@charge_items@')
    RETURNING id AS order_id \\gset
UPDATE account SET blocked_margin = blocked_margin + @margin@ WHERE id = :account_id
    RETURNING balance, blocked_margin \\gset
INSERT INTO fund_transaction (account_id, kind, amount, balance_after, blocked_after, order_id)
    VALUES (:account_id, 'MARGIN_BLOCK', @margin@, :balance, :blocked_margin, :order_id);
UPDATE account SET balance = balance - @charges@ WHERE id = :account_id
    RETURNING balance, blocked_margin \\gset
INSERT INTO fund_transaction (account_id, kind, amount, balance_after, blocked_after, order_id)
    VALUES (:account_id, 'CHARGES', @charges@, :balance, :blocked_margin, :order_id);
COMMIT;
"""


class PgbenchError(Exception):
    """pgbench or some of its transactions failed; the message is its output."""


@dataclass(frozen=True)
class Reference:
    """The results of one pgbench run; at a pace, with each transaction's latency (ms) from its due time."""

    transactions: int
    transactions_per_second: float
    latencies_ms: tuple[float, ...] = ()


def script() -> str:
    """Return the script with today's charges, and with ids that grow with time if the server can make them."""
    charges = charges_for(exchange=EXCHANGE, product=PRODUCT, side=SIDE, turnover=PRICE, on=date.today())  # noqa: DTZ011
    margin = margin_for(PRODUCT, PRICE, 1)
    assert min(margin, charges.total) > 0, "margin and charges must be above 0, so that every step writes a row"
    values = {
        "new_id": "uuidv7()" if _has_uuidv7() else "gen_random_uuid()",
        "margin": str(margin),
        "charges": str(charges.total),
        "charge_items": charges.as_json(),
    }
    return re.sub(r"@(\w+)@", lambda match: values[match[1]], SCRIPT)


def run_pgbench(
    database_url: str, *, accounts: int, clients: int, seconds: int, rate: float | None = None
) -> Reference:
    """Run the plain sequence with this number of clients and accounts, and return the results.

    With a rate (per second), pgbench keeps that pace and times every transaction.
    """
    with tempfile.TemporaryDirectory(prefix="pgbench-") as folder:
        path = Path(folder) / "placement.sql"
        path.write_text(script())
        command = [str(binary("pgbench")), "--no-vacuum", "--protocol=prepared", f"--file={path}"]
        command += [f"--client={clients}", f"--jobs={min(clients, THREADS)}", f"--time={seconds}"]
        if rate is not None:
            command += [f"--rate={rate:g}", "--log", f"--log-prefix={folder}/times"]
        command += [f"--define=accounts={accounts}", database_url]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + EXIT_TIMEOUT_S, stdin=subprocess.DEVNULL
        )
        latencies = _latencies(Path(folder))
    if done.returncode != 0:
        raise PgbenchError(done.stderr.strip())
    return _read(done.stdout, latencies)


def _latencies(folder: Path) -> tuple[float, ...]:
    """Return the latencies in ms from the threads' logs, whose third column has microseconds."""
    lines = [line.split() for path in folder.glob("times.*") for line in path.read_text().splitlines()]
    return tuple(int(columns[2]) / 1000 for columns in lines)


def _read(output: str, latencies_ms: tuple[float, ...]) -> Reference:
    processed = re.search(r"^number of transactions actually processed: (\d+)", output, re.MULTILINE)
    failed = re.search(r"^number of failed transactions: (\d+)", output, re.MULTILINE)
    rate = re.search(r"^tps = ([0-9.]+) \(without initial connection time\)", output, re.MULTILINE)
    if processed is None or rate is None or (failed is not None and failed[1] != "0"):
        raise PgbenchError(output)
    return Reference(int(processed[1]), float(rate[1]), latencies_ms)


def _has_uuidv7() -> bool:
    with session():
        row = fetch_one("SELECT count(*) AS found FROM pg_proc WHERE proname = 'uuidv7'")
    return row is not None and row["found"] > 0
