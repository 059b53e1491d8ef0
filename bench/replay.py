"""Measure a replay: quotes per second beside orders that rest. `python -m bench.replay`, less than a minute.

The command itself measures the time from reading quotes to the fills that they cause; the start of its server, the
migrations and the placements are not part of it.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from tests.support.processes import ROOT

REQUIRED = 2_000  # quotes per second
OPENS = datetime.fromisoformat("2026-11-06T09:15:00+05:30")
STEP, AFTER_ORDERS = timedelta(milliseconds=20), timedelta(seconds=1)
ORDERS = (
    "at,action,account,clientOrderId,exchange,symbol,side,product,orderType,quantity,price,triggerPrice,validity,"
    "afterMarket"
)


def main() -> int:
    """Print the rate; return 1 if it is below the required one."""
    options = _options()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_orders(folder / "orders.csv", options.resting, options.stocks)
        _write_quotes(folder / "quotes.csv", options.quotes, options.stocks)
        seconds = _run(folder)
        filled = (folder / "out" / "trades.csv").read_text().count("\n") - 1
    rate = options.quotes / seconds
    print(
        f"{rate:,.0f} quotes/s through {options.stocks} stocks with {options.resting:,} resting orders, of which"
        f" {filled} filled; required {REQUIRED:,}"
    )
    return 0 if rate >= REQUIRED else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quotes", type=int, default=40_000)
    parser.add_argument("--resting", type=int, default=1_000)
    parser.add_argument("--stocks", type=int, default=50)
    return parser.parse_args()


def _write_orders(path: Path, count: int, stocks: int) -> None:
    """Write BUY LIMITs below the market, of which the nearest may fill."""
    lines = [
        f"2026-11-06T09:15:00.5+05:30,place,owner{number % 20},o{number},NSE,S{number % stocks},BUY,INTRADAY,LIMIT,1,"
        f"{99 - number % 400 / 20:.2f},,,"
        for number in range(count)
    ]
    path.write_text("\n".join([ORDERS, *lines]) + "\n")


def _write_quotes(path: Path, count: int, stocks: int) -> None:
    with open(path, "w") as file:
        file.write("at,exchange,symbol,lastPrice,bidPrice,askPrice,volume\n")
        file.writelines(_quotes(count, stocks))


def _quotes(count: int, stocks: int) -> Iterator[str]:
    """Yield quotes whose prices walk around 100.00; the first ones come before the orders."""
    chance, prices, volume = random.Random(1), [100.0] * stocks, 0
    for number in range(count):
        stock = number % stocks if number < stocks else chance.randrange(stocks)
        prices[stock] = max(90.0, prices[stock] + chance.choice((-0.05, 0.0, 0.05)))
        last, volume = prices[stock], volume + chance.randint(0, 50)
        at = OPENS if number < stocks else OPENS + AFTER_ORDERS + number * STEP
        yield f"{at.isoformat()},NSE,S{stock},{last:.2f},{last - 0.05:.2f},{last + 0.05:.2f},{volume}\n"


def _run(folder: Path) -> float:
    """Return the seconds that the command spends on quotes, on a server of its own."""
    files = ("--quotes", folder / "quotes.csv", "--orders", folder / "orders.csv", "--out", folder / "out")
    command = [sys.executable, "-m", "flask", "--app", "api", "replay", *map(str, files), "--calendar", "NSE"]
    environment = {**os.environ, "DATABASE_URL": "", "REDIS_URL": "", "DATA_DIR": str(folder / "data")}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found = re.search(r"quotes in ([0-9.]+) s", done.stdout)
    assert found is not None, done.stdout
    return float(found[1])


if __name__ == "__main__":
    sys.exit(main())
