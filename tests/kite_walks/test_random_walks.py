"""Whatever programs write into Kite's forms, the books are those of an independent model, and both doors show them."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.kite_walks.model import Model
from tests.kite_walks.views import compare
from tests.kite_walks.walk import Walk
from tests.kite_walks.wishes import OWNERS, SYMBOLS, moments_from
from tests.support.market_clock import standing_clock
from tests.trading.reckoning import Reckoning
from tests.trading.weeks.calendar_of_weeks import at
from tests.trading.weeks.market import Owner
from trading.market.stocks import import_stocks
from trading.upkeep.verify import verify

__all__ = ["standing_clock"]

Clock = Callable[[datetime], None]

BALANCE = "4000.00"  # so that some orders are refused, and some are rejected when they would fill
DAY = date(2026, 11, 4)
STEPS = 200
SEED = 13  # of a walk that meets every kind of answer


@pytest.fixture
def new_walk(client: Any, account: Any, headers_for: Any, standing_clock: Clock) -> Callable[[int], Walk]:
    """Return a function that makes the walk of a seed."""

    def make(seed: int) -> Walk:
        standing_clock(at(DAY, 10, 0))
        import_stocks(("NSE", symbol) for symbol in SYMBOLS)
        accounts = {name: account(BALANCE, name=name, fill_model="QUOTES") for name in OWNERS}
        model = Model(at(DAY, 10, 0), Decimal(BALANCE), SYMBOLS)
        model.owners = {name: Owner(Reckoning(model.balance)) for name in OWNERS}
        return Walk(client, accounts, headers_for("feed"), model, seed)

    return make


def play(walk: Walk, move: Clock) -> None:
    for number, moment in enumerate(moments_from(at(DAY, 10, 0, 1), STEPS, walk.chance), 1):
        move(moment)
        walk.step(moment)
        if number % 15 == 0:
            for name in OWNERS:
                compare(walk, name)
    assert verify() == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1_000, 1_040))
def test_both_doors_show_the_books_of_many_walks(
    new_walk: Callable[[int], Walk], standing_clock: Clock, seed: int
) -> None:
    play(new_walk(seed), standing_clock)


def test_both_doors_show_the_books_of_a_walk_that_meets_every_kind_of_answer(
    new_walk: Callable[[int], Walk], standing_clock: Clock
) -> None:
    walk = new_walk(SEED)
    play(walk, standing_clock)
    assert walk.outcomes.keys() >= {
        *("accepted", "insufficient_margin", "insufficient_holdings", "not_found", "trigger_on_wrong_side", "spoilt"),
        *("conversion: None", "conversion: not_convertible", "conversion: insufficient_margin"),
    }
    assert walk.seen >= {
        *((kind, "COMPLETE", False) for kind in ("MARKET", "LIMIT")),
        *(("LIMIT", status, False) for status in ("OPEN", "CANCELLED")),
        *(("STOP_LIMIT", status, True) for status in ("OPEN", "COMPLETE")),
        *((kind, "TRIGGER PENDING", False) for kind in ("STOP_LIMIT", "STOP_MARKET")),
        ("STOP_MARKET", "COMPLETE", True),
    }
