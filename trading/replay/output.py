"""The files of a replay's folder: the same bytes in every run."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.database import session
from trading.replay import books
from trading.replay.driver import Replay
from trading.replay.plot import plot

COLUMNS = {
    "orders": (
        *("account", "clientOrderId", "status", "averagePrice", "filledQuantity", "charges", "rejectionReason"),
        *("placedAt", "endedAt", "fillRule"),
    ),
    "trades": (
        *("tradeId", "at", "account", "clientOrderId", "exchange", "symbol", "side", "product", "quantity", "price"),
        *("charges", "rule"),
    ),
    "ledger": (
        *("id", "account", "kind", "amount", "balanceAfter", "blockedAfter", "orderId", "clientOrderId", "createdAt"),
    ),
    "positions": (
        *("account", "exchange", "symbol", "product", "quantity", "averagePrice", "lastPrice", "realizedPnl"),
        *("unrealizedPnl", "blockedMargin", "overnightQuantity", "dayBuyQuantity", "dayBuyValue", "daySellQuantity"),
        *("daySellValue", "dayPnl"),
    ),
    "holdings": (
        *("account", "exchange", "symbol", "quantity", "settledQuantity", "t1Quantity", "soldToday", "averagePrice"),
        *("lastPrice", "previousClose", "dayChange", "unrealizedPnl"),
    ),
    "accounts": ("account", "balance", "blockedMargin", "availableMargin", "realizedPnl"),
    "equity": ("at", "account", "equity"),
}


def write(replay: Replay, folder: Path) -> None:
    """Write the results of a replay into a folder, which is made unless it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    trader, calendar = replay.trader, replay.rules.calendar
    names = {account_id: name for name, account_id in trader.accounts.items()}
    with session():
        results = {
            "orders": books.orders(trader.refusals, trader.names),
            "trades": books.trades(trader.names),
            "ledger": books.ledger(),
            "positions": books.positions(names, calendar),
            "holdings": books.holdings(names, calendar),
            "accounts": books.accounts(),
            "equity": [point._asdict() for point in replay.curve.points],
        }
    for name, lines in results.items():
        _write(folder / f"{name}.csv", COLUMNS[name], lines)
    (folder / "equity.svg").write_text(plot(replay.curve.points), encoding="utf-8")


def _write(path: Path, columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([books.text(line[name]) for name in columns] for line in lines)
