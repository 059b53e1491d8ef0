"""A stretch of quotes at once: those before the first one that reaches an order.

Nothing but a quote that reaches an order has an effect on anything but its own stock. So a replay stores the quotes
between two such quotes in one transaction, judged one after the other, each at its own time. It stands for
trading.matching.feed, and a test holds both ways equal.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from models.database import array_of, fetch_one, transactional
from trading.market.calendars import days as days_of
from trading.market.quotes import GivenQuote, Moment, NotStored, Taken, lock_stocks, store, take
from trading.matching.buckets import lock_exclusive
from trading.matching.crossing import CROSSED, reach
from trading.matching.feed import MarketRules
from trading.rules.quotes import Quote

FIRST_REACHED = f"""
SELECT min(quote.place) AS place FROM unnest(%s::integer[], %s::uuid[], %s::numeric[], %s::numeric[], %s::numeric[])
    AS quote (place, stock_id, buys, sells, last)
CROSS JOIN LATERAL (SELECT FROM ({CROSSED}) AS watched LIMIT 1) AS crossed
"""


class TimedQuote(NamedTuple):
    """A quote, its stock, and the time at which it comes."""

    at: datetime
    stock_id: UUID
    quote: GivenQuote


class Stretch(NamedTuple):
    """The number of quotes that were taken from the beginning, and the outcomes, by place, of those that match nothing.

    The next quote after them, if there is one, reaches an order, and nothing of it is stored.
    """

    taken: int
    outcomes: dict[int, str]


@transactional
def store_stretch(quotes: Sequence[TimedQuote], rules: MarketRules) -> Stretch:
    """Store quotes in their order, up to the first one that reaches an order."""
    days = days_of(rules.calendar)
    lock_exclusive(quote.stock_id for quote in quotes)
    stocks: dict[UUID, Any] = dict(lock_stocks(quote.stock_id for quote in quotes)[0])
    results: list[Taken | NotStored] = []
    for one in quotes:
        stock = stocks[one.stock_id]
        result = take(stock, one.quote, Moment.of(one.at, days, stock["session_class"], rules.max_age_s))
        if isinstance(result, Taken):
            stocks[one.stock_id] = {**stock, **result.columns}
        results.append(result)
    count = _place_of_first_reaching(quotes, results)
    _store_last(quotes[:count], results[:count])
    return Stretch(count, dict(_outcomes(results[:count])))


def _place_of_first_reaching(quotes: Sequence[TimedQuote], results: Sequence[Taken | NotStored]) -> int:
    """Return the place of the first usable quote that reaches an order, or the number of quotes if none does."""
    usable = [
        (place, quotes[place].stock_id, *reach(result.quote))
        for place, result in enumerate(results)
        if isinstance(result, Taken) and result.quote.is_usable
    ]
    if not usable:
        return len(quotes)
    found = fetch_one(FIRST_REACHED, [array_of(column) for column in zip(*usable, strict=True)])
    assert found is not None
    return len(quotes) if found["place"] is None else int(found["place"])


def _store_last(quotes: Sequence[TimedQuote], results: Sequence[Taken | NotStored]) -> None:
    """Write the columns that the quotes of each stock have set, once for each stock."""
    columns: dict[UUID, dict[str, Any]] = {}
    last: dict[UUID, Quote] = {}
    for one, result in zip(quotes, results, strict=True):
        if isinstance(result, Taken):
            columns.setdefault(one.stock_id, {}).update(result.columns)
            last[one.stock_id] = result.quote
    store(Taken(columns[stock_id], quote, None) for stock_id, quote in last.items())


def _outcomes(results: Sequence[Taken | NotStored]) -> Mapping[int, str]:
    found = {place: result if isinstance(result, NotStored) else result.outcome for place, result in enumerate(results)}
    return {place: str(outcome) for place, outcome in found.items() if outcome is not None}
