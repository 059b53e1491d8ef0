"""The commands on candles."""

import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID

import click
from flask import current_app
from flask.cli import AppGroup

from api.http.errors import invalid
from schemas.live_quotes import KEY
from trading.market.candles import save_candles
from trading.market.stocks import Pair, find_stocks

from .candle_files import CandleFile
from .failures import with_database
from .output import as_json, tell

candles = AppGroup("candles", help="Import candles of stocks.")

CANDLES_PER_TRANSACTION = 5_000


class Stocks:
    """The ids of the stocks of a file, each asked for once."""

    def __init__(self) -> None:
        self._known: dict[Pair, UUID] = {}

    def id_of(self, pair: Pair) -> UUID:
        """Return the id of an active stock; raise HttpRefusal for an unknown one."""
        if pair not in self._known:
            found = find_stocks([pair])
            if not found:
                name = ":".join(pair)
                raise invalid({"symbol": [f"{name!r} is unknown: `tradepost stocks import` makes stocks known."]})
            self._known[pair] = found[0]["id"]
        return self._known[pair]

    def __len__(self) -> int:
        return len(self._known)


@candles.command("import")
@click.argument("path", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False))
@click.option("--stock", metavar="NSE:INFY", help="The stock of a file without the columns exchange and symbol.")
@click.option("--interval", type=click.Choice(["minute", "day"]), default="minute", show_default=True)
@as_json
@with_database
def candles_import(path: str, stock: str | None, interval: str, as_json: bool) -> None:
    """Import the candles of a file, in place of those that are there.

    The file has the columns exchange,symbol,at,open,high,low,close,volume. A file of one stock may lack the first two:
    name the stock by --stock. The time is the beginning of the candle, and is Indian if it names no zone; its column
    may be called date, and other columns are not read. One line that is not valid refuses the whole file. It may be
    gzipped.

    Candles of longer intervals are made of those of minutes. A candle of several minutes may be imported as that of its
    first one.
    """
    stocks = Stocks()
    file = CandleFile(path, stocks.id_of, _pair(stock), are_days=interval == "day")
    count, first = _look_through(file)
    saved, candles_again = 0, file.candles("saving")
    while batch := list(itertools.islice(candles_again, CANDLES_PER_TRANSACTION)):
        saved += save_candles(batch, are_days=file.are_days)
    _warn_of_old_minutes(file, first)
    text = f"{count} read, {saved} saved, {len(stocks)} {'stock' if len(stocks) == 1 else 'stocks'}"
    tell(as_json, text, {"read": count, "saved": saved, "stocks": len(stocks)})


def _look_through(file: CandleFile) -> tuple[int, datetime | None]:
    """Return the number of candles and the time of the oldest; raise HttpRefusal for a line that is not valid."""
    count, first = 0, None
    for candle in file.candles("looking through the candles"):
        count += 1
        first = candle.at if first is None else min(first, candle.at)
    return count, first


def _pair(key: str | None) -> Pair | None:
    if key is None:
        return None
    if not KEY.fullmatch(key.upper()):
        raise invalid({"--stock": ["Must be an exchange and a symbol, such as NSE:INFY."]})
    exchange, _, symbol = key.upper().partition(":")
    return exchange, symbol


def _warn_of_old_minutes(file: CandleFile, first: datetime | None) -> None:
    """Say that old minutes will become days."""
    kept = current_app.config["SETTINGS"].candles_kept_days
    if first is not None and not file.are_days and first < datetime.now(UTC) - timedelta(days=kept):
        click.echo(f"minutes that are older than {kept} days become candles of days: see CANDLES_KEPT_DAYS", err=True)
