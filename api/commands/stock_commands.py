"""The commands on stocks: import them, and list them."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TextIO

import click
from flask import current_app
from flask.cli import AppGroup

from api.http.errors import HttpRefusal, invalid
from api.http.pagination import fetch_page
from api.market import BY_SYMBOL
from models.database import session
from schemas.orders import EXCHANGES
from schemas.stocks import StockImportSchema, StockListSchema
from trading.market.quotes import GivenQuote
from trading.market.search import search_stocks
from trading.market.stocks import STOCKS, Pair, import_stocks, session_classes
from trading.matching.feed import MarketRules, receive_quotes
from trading.matching.stock_changes import ImportedFacts, set_facts
from trading.rules.terms import SessionClass

from .command_input import at_line, load, load_row, take_columns
from .csv_input import CsvFile, open_csv
from .failures import fail, reasons, with_database
from .output import as_json, show, tell
from .progress import Counter, counting, patience, reading
from .quote_commands import COLUMNS
from .quote_commands import STOCK as SHOWN_STOCK
from .stock_files import FORMATS, OWN, Format, recognise

stocks = AppGroup("stocks", help="Import and list stocks.")

NORMAL, AUCTION = SessionClass
STOCK, SEARCH = StockImportSchema(), StockListSchema(only=("search",))
MAX_LISTED = 1_000
# After an import that broke off, the next one finds its stocks known.
STOCKS_PER_TRANSACTION = 1_000
REFUSALS_SHOWN = 20
FACTS = [name for name in ImportedFacts._fields if name != "allows_intraday"]  # as the lines have them

csv_file = click.argument("path", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False))

Line = dict[str, Any]  # as StockImportSchema loads it


@dataclass
class Import:
    """The counts of an import's lines, and its refusals."""

    has_live_prices: bool = True
    read: int = 0
    taken: int = 0
    created: int = 0
    priced: int = 0
    refused: list[str] = field(default_factory=list)
    pairs: set[Pair] = field(default_factory=set)
    underlyings: set[str] = field(default_factory=set)

    def save(self, lines: list[Line]) -> None:
        """Create the unknown stocks, and set the facts and the prices that the lines give."""
        self.taken += len(lines)
        self.pairs |= {(line["exchange"], line["symbol"]) for line in lines}
        self.created += import_stocks(*_stocks_and_names(lines))
        set_facts([_facts(line) for line in lines])
        quotes = [
            GivenQuote(line["exchange"], line["symbol"], line["last_price"], is_live=self.has_live_prices)
            for line in lines
            if line["last_price"] is not None
        ]
        receive_quotes(quotes, MarketRules.of(current_app.config["SETTINGS"]))
        self.priced += len(quotes)

    def classify(self) -> None:
        """Give the stocks of a file with futures their session classes: shares with futures have a closing auction."""
        if self.underlyings:
            classes = {pair: AUCTION if pair[1] in self.underlyings else NORMAL for pair in self.pairs}
            known = session_classes()
            changed = {pair: name for pair, name in classes.items() if known.get(pair) != name}
            set_facts([ImportedFacts(*pair, session_class=name) for pair, name in changed.items()])

    @property
    def others(self) -> int:
        """The number of lines that hold no stock."""
        return self.read - self.taken - len(self.refused)

    def refuse(self, refusal: HttpRefusal) -> None:
        """Record the refusal of a line."""
        self.refused.append(reasons(refusal))


@stocks.command("import")
@csv_file
@click.option(
    "--report", type=click.File("w", encoding="utf-8", lazy=False), help="Write all refused lines to this file."
)
@as_json
@with_database
def stocks_import(path: str, report: TextIO | None, as_json: bool) -> None:
    """Import the stocks of a file; known stocks stay.

    The file has the columns exchange,symbol and optionally name,lastPrice,tickSize,lotSize,intradayAllowed,
    sessionClass,instrumentToken,exchangeToken,isin,series; one line that is not valid refuses the whole file. Or it is
    Kite's dump of instruments or NSE's list of equities; their lines that are not valid are skipped and reported, and
    the others imported. Each may be gzipped. No order fills on the prices of Kite's dump, which are not those of now.
    Its futures tell which shares have a closing auction.
    """
    done = Import()
    with open_csv(path) as file:
        kind = _kind_of(file)
        done.has_live_prices = kind.has_live_prices
        if kind is OWN:
            lines = list(_stocks(file, kind, done, _raise))
            with counting(len(lines), "saving") as bar:
                _save(lines, done, bar)
        else:
            _save(_stocks(file, kind, done, done.refuse), done)
    with patience("giving the stocks their session classes"):
        done.classify()
    _report(done.refused, report)
    tell(as_json, _summary(kind, done), _document(kind, done))
    if not done.taken and kind is not OWN:
        fail("The file holds no stock of NSE or BSE.")


@stocks.command("list")
@click.option("--search", help="A part of the symbol or of the name.")
@click.option("--exchange", type=click.Choice(EXCHANGES))
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, MAX_LISTED))
@as_json
@with_database
def stocks_list(search: str | None, exchange: str | None, limit: int, as_json: bool) -> None:
    """List stocks with their quotes, by symbol; with --search the best first."""
    if search:
        found = search_stocks(load(SEARCH, {"search": search})["search"], exchange=exchange, limit=limit)
    else:
        where = {"is_active = %s": True, "exchange = %s": exchange}
        with session():
            found = fetch_page(STOCKS, where, BY_SYMBOL, limit=limit, cursor=None)["data"]
    show(as_json, SHOWN_STOCK.dump(found, many=True), COLUMNS)


def import_facts(path: str) -> None:
    """Create the stocks of a file with their facts, and leave out its prices; one bad line refuses the file."""
    with open_csv(path) as file:
        kind = _kind_of(file)
        lines = list(_stocks(file, kind, Import(), _raise))
    import_stocks(*_stocks_and_names(lines))
    set_facts([_facts(line) for line in lines])


def _kind_of(file: CsvFile) -> Format:
    """Return the format of a file, whose columns the rows have from now on; raise HttpRefusal for an unknown one."""
    kind = recognise(file.header)
    if kind is None:
        known = "; ".join(f"{one.name} ({','.join(one.columns)})" for one in FORMATS)
        raise invalid({"line 1": [f"Is not a known header. Known are: {known}."]})
    if kind is OWN:
        take_columns(file, STOCK)
    return kind


def _save(lines: Iterable[Line], done: Import, bar: Counter | None = None) -> None:
    waiting = iter(lines)
    while batch := list(itertools.islice(waiting, STOCKS_PER_TRANSACTION)):
        done.save(batch)
        if bar is not None:
            bar.update(len(batch))


def _stocks(file: CsvFile, kind: Format, done: Import, refuse: Callable[[HttpRefusal], None]) -> Iterator[Line]:
    """Yield the stocks of a file's lines, and show on a terminal how much of the file was read."""
    with reading(file, file.lines) as lines:
        for number, line in lines:
            done.read += 1
            try:
                row = file.row(line)
                stock = _stock(kind, row)
            except HttpRefusal as refusal:
                refuse(at_line(number, refusal))
            else:
                if stock is not None:
                    yield stock
                elif underlying := kind.underlying_of(row):
                    done.underlyings.add(underlying)


def _stock(kind: Format, row: dict[str, str]) -> Line | None:
    missing = {name: ["Is missing."] for name in kind.columns if name not in row}
    if missing:
        raise invalid(missing)
    stock = kind.stock_of(row)
    if stock is None:
        return None
    return load_row(STOCK, stock)


def _stocks_and_names(lines: Iterable[Line]) -> tuple[set[Pair], dict[Pair, str]]:
    names = {(line["exchange"], line["symbol"]): line["name"] for line in lines}
    return set(names), {pair: name for pair, name in names.items() if name}


def _facts(line: Line) -> ImportedFacts:
    intraday = line["allows_intraday"]
    allows_intraday = None if intraday is None else intraday == "true"
    return ImportedFacts(allows_intraday=allows_intraday, **{name: line[name] for name in FACTS})


def _raise(refusal: HttpRefusal) -> None:
    raise refusal


def _report(refused: list[str], report: TextIO | None) -> None:
    """Write the refused lines into the report, or the first of them on standard error."""
    for line in refused if report else refused[:REFUSALS_SHOWN]:
        click.echo(line, file=report, err=True)
    not_shown = 0 if report else len(refused) - REFUSALS_SHOWN
    if not_shown > 0:
        click.echo(f"and {not_shown} more; --report FILE lists them all", err=True)


def _summary(kind: Format, done: Import) -> str:
    if kind is OWN:
        return f"{done.read} read, {done.created} new, {done.priced} priced"
    return (
        f"{kind.name}: {done.read} read, {done.taken} stocks, {done.created} new, {done.priced} priced,"
        f" {done.others} of other kinds, {len(done.refused)} refused"
    )


def _document(kind: Format, done: Import) -> dict[str, Any]:
    return {
        "format": kind.name,
        "read": done.read,
        "stocks": done.taken,
        "new": done.created,
        "priced": done.priced,
        "otherKinds": done.others,
        "refused": len(done.refused),
    }
