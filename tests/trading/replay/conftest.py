"""A replay of rows in this process, in a database of its own."""

import csv
import io

import pytest

from runtime import logs, redis_link
from tests.support.servers import point_models_at
from trading.market import calendars
from trading.market.stocks import forget_stocks

QUOTES = "at,exchange,symbol,lastPrice,bidPrice,askPrice"
ORDERS = (
    "at,action,account,clientOrderId,exchange,symbol,side,product,orderType,quantity,price,triggerPrice,validity,"
    "afterMarket"
)


@pytest.fixture
def replay(app, settings, tmp_path, capsys):
    """Return a function that replays lines of quotes and orders, and returns the rows of the results by file."""

    def run(quotes, orders, *options, header=QUOTES, out="out", exit_code=0):
        (tmp_path / "quotes.csv").write_text("\n".join([header, *quotes]) + "\n")
        (tmp_path / "orders.csv").write_text("\n".join([ORDERS, *orders]) + "\n")
        given = ["--quotes", tmp_path / "quotes.csv", "--orders", tmp_path / "orders.csv", "--out", tmp_path / out]
        done = app.test_cli_runner().invoke(args=["replay", *map(str, given), *options])
        assert done.exit_code == exit_code, (done.output, done.exception)
        run.output, run.errors, run.folder = done.stdout, done.stderr, tmp_path / out
        return {path.stem: rows(path.read_text()) for path in sorted((tmp_path / out).glob("*.csv"))}

    yield run
    calendars._remembered.clear()
    forget_stocks()
    point_models_at(settings.database_url)
    redis_link.configure(settings.redis_url, settings.redis_namespace)
    logs.configure(settings.log_level, settings.log_format)


def rows(text):
    """Return the rows of a CSV text as dicts."""
    return list(csv.DictReader(io.StringIO(text)))
