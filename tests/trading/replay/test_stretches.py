"""Quotes that are stored together leave what quotes leave that come one by one."""

import random

import pytest

from models.database import fetch_all, session
from trading.matching.stretches import Stretch
from trading.replay import driver, output

HEADER = (
    "at,exchange,symbol,lastPrice,bidPrice,askPrice,lastTradedAt,volume,low,high,previousClose,closePrice,lowerCircuit,"
    "upperCircuit,halted"
)
SYMBOLS = ("ABC", "DEF", "GHI")
TYPES = (("LIMIT", True, False), ("MARKET", False, False), ("STOP_LIMIT", True, True), ("STOP_MARKET", False, True))


def day_of_quotes(chance, count):
    lines, second, volumes = [], 0.0, dict.fromkeys(SYMBOLS, 0)
    for _ in range(count):
        second += chance.choice((0.25, 0.5, 1, 20, 90))
        symbol = chance.choice(SYMBOLS)
        last = 100 + chance.randrange(-40, 40) / 10
        volumes[symbol] += chance.choice((0, 0, 10))
        at = moment(second)
        cells = [
            at, "NSE", symbol, f"{last:.2f}" if chance.random() < 0.9 else "",
            f"{last - 0.1:.2f}" if chance.random() < 0.8 else "", f"{last + chance.choice((0.1, 0.1, -0.3)):.2f}",
            at if chance.random() < 0.3 else "", str(volumes[symbol]) if chance.random() < 0.5 else "",
            "97.00" if chance.random() < 0.3 else "", "103.00" if chance.random() < 0.3 else "", "100.00", "",
            "96.50" if chance.random() < 0.2 else "", "103.50" if chance.random() < 0.2 else "",
            chance.choice(("", "", "", "true", "false", "false")),
        ]  # fmt: skip
        if not cells[3] and not cells[4]:
            cells[3] = f"{last:.2f}"
        lines.append(",".join(cells))
    return lines, second


def orders_beside(chance, seconds, count):
    lines = []
    for number in range(count):
        kind, has_price, has_trigger = chance.choice(TYPES)
        price = f"{100 + chance.randrange(-40, 40) / 10:.2f}"
        trigger = f"{100 + chance.randrange(-40, 40) / 10:.2f}"
        at, account = moment(chance.uniform(0, seconds) // 0.1 * 0.1 + 0.05), chance.choice(("alice", "bob"))
        lines.append(
            f"{at},place,{account},o{number},NSE,{chance.choice(SYMBOLS)},{chance.choice(('BUY', 'SELL'))},INTRADAY,"
            f"{kind},{chance.randint(1, 9)},{price if has_price else ''},{trigger if has_trigger else ''},,"
        )
    return lines


def moment(second):
    hours, rest = divmod(9 * 3600 + 15 * 60 + second, 3600)
    return f"2026-11-06T{int(hours):02}:{int(rest // 60):02}:{rest % 60:06.3f}+05:30"


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(4, 12))])
def test_a_stretch_leaves_what_single_quotes_leave(replay, monkeypatch, seed):
    chance = random.Random(seed)
    quotes, seconds = day_of_quotes(chance, 250)
    orders = orders_beside(chance, seconds, 40)
    write, stocks = output.write, []

    def keep(done, folder):
        with session():
            stocks.append(fetch_all("SELECT * FROM stock ORDER BY symbol"))
        write(done, folder)

    monkeypatch.setattr(output, "write", keep)
    together = replay(quotes, orders, "--calendar", "NSE", header=HEADER, out="together")
    monkeypatch.setattr(driver, "store_stretch", lambda quotes, rules: Stretch(0, {}))
    singly = replay(quotes, orders, "--calendar", "NSE", header=HEADER, out="singly")
    assert together == singly
    assert [{**row, "created_at": None} for row in stocks[0]] == [{**row, "created_at": None} for row in stocks[1]]
    assert len(together["trades"]) > 5
