"""The demo's prices swing within their band, so that a resting order soon fills, with a gap now and then."""

import random
from datetime import date
from decimal import Decimal

from embedded import walks
from embedded.walks import BAND, GAP, NOISE, Day, Walk, close_before

FIRST = Decimal("2500.00")
TODAY = date(2026, 11, 27)
STEPS_A_MINUTE = 40  # of 57 rounds, each some 1.05 s with its requests


def test_a_walk_stays_on_the_tick_and_in_its_band() -> None:
    walk, seen = Walk(FIRST, FIRST, random.Random(7)), set()
    for _ in range(20_000):
        price = walk.step()
        assert price % Decimal("0.05") == 0
        assert abs(price - FIRST) <= FIRST * Decimal(BAND) + Decimal("0.05")
        seen.add(price)
    assert len(seen) > 1_000


def test_a_gap_comes_now_and_then_and_is_wider_than_a_step() -> None:
    walk, before = Walk(FIRST, FIRST, random.Random(7)), FIRST
    assert GAP[0] > 2 * max(walks.SWING) / min(walks.STEPS_OF_SWING) + NOISE
    moves = []
    for _ in range(20_000):
        after = walk.step()
        moves.append(float(abs(after - before) / before))
        before = after
    gaps = [move for move in moves if move >= GAP[0]]
    assert 20 <= len(gaps) <= 200
    assert max(gaps) * float(FIRST / walks.TICK) >= 50  # ticks, so that a stop is triggered behind its trigger


def test_a_limit_a_fifth_of_a_percent_from_the_market_is_reached_within_a_minute_in_most_cases() -> None:
    chance, reached = random.Random(7), 0
    for number in range(1_000):
        walk, side = Walk(FIRST, FIRST, chance), (-1, 1)[number % 2]
        for _ in range(chance.randint(0, 200)):
            walk.step()
        limit = float(walk.price) * (1 + side * 0.002)
        reached += any((float(walk.step()) - limit) * side >= 0 for _ in range(STEPS_A_MINUTE))
    assert reached >= 850


def test_a_day_has_its_range_and_volume_from_its_first_trade_on() -> None:
    day = Day.before_trades(TODAY, Decimal("100.00"))
    assert (day.open, day.high, day.low, day.volume) == (Decimal("100.00"),) * 3 + (0,)
    for price, shares in (("101.00", 5), ("103.00", 1), ("100.50", 2)):
        day = day.after(Decimal(price), shares)
    assert day == (TODAY, *map(Decimal, ("100.00", "101.00", "103.00", "100.50")), 8)


def test_the_first_day_has_a_close_before_it_that_is_always_the_same() -> None:
    assert close_before("TCS", FIRST) == close_before("TCS", FIRST)
    assert len({close_before(symbol, FIRST) for symbol in ("TCS", "INFY", "SBIN")}) == 3
    assert abs(close_before("TCS", FIRST) - FIRST) <= 25
