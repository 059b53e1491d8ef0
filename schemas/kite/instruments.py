"""The list of instruments in Kite's columns."""

import csv
import io
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
    "segment,exchange\r\n"
)
# Of a stock of which no import gave them: Kite's clients refuse an empty cell of a number.
USUAL_TICK_SIZE, USUAL_LOT_SIZE = Decimal("0.05"), 1
NO_PRICE = "0"  # as in Kite's list, whose prices are not those of now


def lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return stocks as lines of the list."""
    text = io.StringIO()
    csv.writer(text).writerows(map(_cells, rows))
    return text.getvalue()


def _cells(row: Mapping[str, Any]) -> tuple[Any, ...]:
    token, exchange = row["instrument_token"], row["exchange"]
    return (
        token,
        token >> 8,
        row["symbol"],
        row["name"] or "",
        NO_PRICE,
        "",
        "0",
        row["tick_size"] or USUAL_TICK_SIZE,
        row["lot_size"] or USUAL_LOT_SIZE,
        "EQ",
        exchange,
        exchange,
    )
