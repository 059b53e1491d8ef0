"""A candle is the same in whatever order its trades come, and from however many parts it is merged."""

from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from trading.rules.candles import Candle, Trade

STOCK = UUID(int=1)


@st.composite
def _trades(draw: st.DrawFn) -> list[Trade]:
    """Return the trades of a minute in their order; some quotes give no volume."""
    steps = draw(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5), st.booleans()), min_size=1, max_size=12))
    trades, volume = [], 100
    for number, (price, traded, has_volume) in enumerate(steps, 1):
        volumes = (volume, volume + traded) if has_volume else (None, None)
        volume += traded
        trades.append(Trade(STOCK, 1, Decimal(price), number, *volumes))
    return trades


def _candle(trades: list[Trade]) -> Candle:
    candle = Candle(trades[0])
    for trade in trades[1:]:
        candle.add(trade)
    return candle


@given(_trades(), st.data())
def test_order_and_parts_make_no_difference(trades: list[Trade], data: st.DataObject) -> None:
    mixed = data.draw(st.permutations(trades))
    cut = data.draw(st.integers(0, len(trades)))
    parts = [part for part in (mixed[:cut], mixed[cut:]) if part]
    merged = _candle(parts[0])
    for part in parts[1:]:
        merged.add_candle(_candle(part))
    prices, after = [trade.price for trade in trades], [trade.volume_to for trade in trades if trade.volume_to]
    before = [trade.volume_from for trade in trades if trade.volume_from is not None]
    expected = (prices[0], max(prices), min(prices), prices[-1], 1, len(trades))
    assert merged.columns() == (*expected, min(before, default=None), max(after, default=None))
