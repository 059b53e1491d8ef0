"""Stocks: found, created and activated."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from models.database import execute, fetch_all, fetch_one, session, transactional
from models.identifiers import new_id
from models.rows import StockRow
from trading.accounts.ledgers import write_rows

Pair = tuple[str, str]  # exchange, symbol
MAX_REMEMBERED = 50_000
_remembered: dict[Pair, UUID] = {}

# The start of a list of stocks; the caller adds its conditions. The largest volume may be one of an earlier day.
STOCKS = """
SELECT *, CASE WHEN volume_day = (quoted_at AT TIME ZONE 'Asia/Kolkata')::date THEN largest_volume END AS volume
FROM stock
"""
# A list in the statement's text would be up to a thousand ORs: on a table without statistics each row tries them all.
AMONG = "(exchange, symbol) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
KNOWN = f"SELECT id, exchange, symbol, is_active FROM stock WHERE {AMONG}"
# The statement gives the token, not the trigger: where the table has copies on several servers, all get the same one.
CREATE = """
INSERT INTO stock (id, exchange, symbol, name, instrument_token) VALUES %s ON CONFLICT (exchange, symbol) DO NOTHING
"""
ACTIVATE = f"""
UPDATE stock SET is_active = true WHERE id IN (
    SELECT id FROM stock WHERE NOT is_active AND {AMONG} ORDER BY exchange, symbol FOR NO KEY UPDATE)
"""


def find_stock(exchange: str, symbol: str) -> StockRow | None:
    """Return an active stock's row with its day's volume, or None."""
    with session():
        return fetch_one(f"{STOCKS} WHERE exchange = %s AND symbol = %s AND is_active", (exchange, symbol), StockRow)


def pair_of(key: str) -> Pair:
    """Return the exchange and the symbol of a key such as `NSE:RELIANCE`."""
    exchange, _, symbol = key.partition(":")
    return exchange, symbol


def find_stocks(pairs: Iterable[Pair]) -> list[StockRow]:
    """Return the rows of the active stocks among some, in the order in which they are given."""
    wanted = list(dict.fromkeys(pairs))
    if not wanted:
        return []
    with session():
        rows = fetch_all(f"{STOCKS} WHERE is_active AND {AMONG}", columns_of(wanted), StockRow)
    found = {(row["exchange"], row["symbol"]): row for row in rows}
    return [found[pair] for pair in wanted if pair in found]


def import_stocks(stocks: Iterable[Pair], names: Mapping[Pair, str] | None = None) -> int:
    """Create or activate stocks given as (exchange, symbol); return the number that were not active before.

    The names are those of new stocks.
    """
    pairs = set(stocks)
    if not pairs:
        return 0
    return _create_missing(pairs, names or {}) + _activate(pairs)


def ensure_stocks(pairs: set[Pair]) -> dict[Pair, UUID]:
    """Return the ids of stocks by (exchange, symbol), after creating the unknown and activating the inactive ones.

    Whoever locks the stocks afterwards finds all their rows, and locks them in the same order as everyone.
    """
    known = _known(pairs)
    active = {pair for pair, (_, is_active) in known.items() if is_active}
    if active != pairs:
        import_stocks(pairs - active)
        known = _known(pairs)
    return {pair: stock_id for pair, (stock_id, _) in known.items()}


def remembered_stocks(pairs: set[Pair]) -> dict[Pair, UUID]:
    """Return the ids of stocks as ensure_stocks does, without a question to the database if all are remembered.

    Whoever then finds a row missing or inactive under its lock calls forget_stocks, and begins again.
    """
    if not pairs <= _remembered.keys():
        if len(_remembered) + len(pairs) > MAX_REMEMBERED:
            _remembered.clear()
        _remembered.update(ensure_stocks(pairs))
    return {pair: _remembered[pair] for pair in pairs}


def forget_stocks() -> None:
    """Forget the remembered ids: a stock was deactivated, or the database is another one."""
    _remembered.clear()


def session_classes() -> dict[Pair, str]:
    """Return the session class of every stock."""
    with session():
        rows = fetch_all("SELECT exchange, symbol, session_class FROM stock")
    return {(row["exchange"], row["symbol"]): row["session_class"] for row in rows}


def _known(pairs: set[Pair]) -> dict[Pair, tuple[UUID, bool]]:
    with session():
        rows = fetch_all(KNOWN, columns_of(pairs))
    return {(row["exchange"], row["symbol"]): (row["id"], row["is_active"]) for row in rows}


@transactional
def _create_missing(pairs: set[Pair], names: Mapping[Pair, str]) -> int:
    missing = sorted(pairs - _known(pairs).keys())
    write_rows(
        CREATE,
        [(new_id(), *pair, names.get(pair), pair[0]) for pair in missing],
        template="(%s, %s, %s, %s, synthetic_token(%s))",
    )
    return len(missing)


@transactional
def _activate(pairs: set[Pair]) -> int:
    return execute(ACTIVATE, columns_of(pairs))


def columns_of(pairs: Iterable[Pair]) -> tuple[list[str], list[str]]:
    """Return the two parameters of AMONG."""
    exchanges, symbols = zip(*pairs, strict=True)
    return list(exchanges), list(symbols)
