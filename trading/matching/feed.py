"""The quotes' path: store quotes in portions, each a transaction that also matches the orders that they cross."""

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from config import Settings
from models.database import DatabaseUnavailable, transactional
from models.rows import StockRow
from runtime import metrics
from runtime.logs import get_logger
from trading.market.calendars import days as days_of
from trading.market.candle_recording import recorder
from trading.market.live_quotes import are_heard, live_quote, publish_last_prices, publish_quotes
from trading.market.quotes import GivenQuote, Moment, NotStored, Taken, lock_stocks, store, take
from trading.market.stocks import forget_stocks, remembered_stocks
from trading.matching.buckets import bucket_of, lock_exclusive
from trading.matching.crossing import Match, match
from trading.matching.last_prices import store_last_prices
from trading.rules.candles import trade_of
from trading.rules.expiry import session_end
from trading.rules.matching import on_quote
from trading.rules.sessions import TradingDays
from trading.rules.terms import SessionClass

STOCKS_PER_TRANSACTION = 200
MAX_QUOTES_PER_STOCK = 10

Portion = list[tuple[int, UUID, GivenQuote]]  # the quote's place in the request, its stock

logger = get_logger(__name__)


class MarketRules(NamedTuple):
    """The conditions of a usable quote: its greatest age in seconds (0: any), and the calendar if there is one.

    With records_candles this process gathers the candles of the quotes that it takes.
    """

    max_age_s: int = 0
    calendar: str | None = None
    records_candles: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "MarketRules":
        """Return the conditions that the settings name."""
        return cls(settings.max_quote_age_s, settings.market_calendar, settings.record_candles)


class StocksChanged(Exception):
    """A remembered stock is inactive, or is gone with its database."""


class Refusal(NamedTuple):
    """A quote that was not stored, or was stored and not matched, with the outcome."""

    exchange: str
    symbol: str
    outcome: str


class _Received(NamedTuple):
    """A stored portion: the number of its quotes, outcomes by place, matched orders, and the news of it to publish."""

    stored: int
    outcomes: dict[int, str]
    matches: list[Match]
    news: Sequence[Callable[[], None]] = ()


class Reception(NamedTuple):
    """The number of quotes that were stored, that of orders that they matched, and the quotes that match nothing."""

    accepted: int
    matched: int
    not_matched: list[Refusal]


def receive_quotes(
    quotes: Sequence[GivenQuote], rules: MarketRules, *, tell: Callable[[list[Match]], None] | None = None
) -> Reception:
    """Store quotes and match the orders that they cross; unknown stocks are created and inactive ones activated.

    Quotes of one stock are taken in their order, each by itself, the last MAX_QUOTES_PER_STOCK of them. Each portion
    commits by itself, after which `tell` gets its matched orders, and its quotes are published. A portion that fails is
    tried once more; if it fails again, DatabaseUnavailable is raised, and the portions before it stay.
    """
    days = days_of(rules.calendar)
    accepted = matched = 0
    outcomes: dict[int, str] = {}
    for portion in _portions(quotes):
        begin = time.monotonic()
        received = _receive_patiently(portion, rules, days)
        accepted += received.stored
        outcomes |= received.outcomes
        if received.matches:
            matched += len(received.matches)
            metrics.count_matches([one.rule for one in received.matches], time.monotonic() - begin)
            if tell is not None:
                tell(received.matches)
        for publish in received.news:
            publish()
    metrics.count_quotes({**Counter(outcomes.values()), "usable": len(quotes) - len(outcomes)})
    refusals = [Refusal(quotes[place].exchange, quotes[place].symbol, outcomes[place]) for place in sorted(outcomes)]
    return Reception(accepted, matched, refusals)


def set_quotes(quotes: Iterable[tuple[str, str, Decimal]], rules: MarketRules = MarketRules()) -> Reception:  # noqa: B008
    """Set last prices given as (exchange, symbol, rupees), as quotes without a book."""
    return receive_quotes([GivenQuote(exchange, symbol, price) for exchange, symbol, price in quotes], rules)


def _portions(quotes: Sequence[GivenQuote]) -> Iterator[Portion]:
    """Yield portions of at most one quote for each of STOCKS_PER_TRANSACTION stocks; a stock's next quote comes later.

    Neighbouring buckets come together, so that a portion locks few of them.
    """
    if not quotes:
        return
    stock_ids = remembered_stocks({(quote.exchange, quote.symbol) for quote in quotes})
    rounds: list[Portion] = []
    counts: Counter[UUID] = Counter()
    for place in reversed(range(len(quotes))):  # so that the last ones count
        quote = quotes[place]
        stock_id = stock_ids[quote.exchange, quote.symbol]
        turn = counts[stock_id]
        counts[stock_id] += 1
        if turn == len(rounds) < MAX_QUOTES_PER_STOCK:
            rounds.append([])
        if turn < MAX_QUOTES_PER_STOCK:
            rounds[turn].append((place, stock_id, quote))
    for portion in reversed(rounds):
        portion.sort(key=lambda one: bucket_of(one[1]))
        for start in range(0, len(portion), STOCKS_PER_TRANSACTION):
            yield portion[start : start + STOCKS_PER_TRANSACTION]


def _receive_patiently(portion: Portion, rules: MarketRules, days: TradingDays | None) -> _Received:
    try:
        return _receive(portion, rules, days)
    except StocksChanged:
        portion = _renewed(portion)
    except DatabaseUnavailable as error:
        logger.warning("quotes_tried_again", quotes=len(portion), reason=str(error).split("\n")[0])
    return _receive(portion, rules, days)


def _renewed(portion: Portion) -> Portion:
    """Return a portion with the ids that its stocks have now, all of them active."""
    forget_stocks()
    stock_ids = remembered_stocks({(quote.exchange, quote.symbol) for *_, quote in portion})
    return [(place, stock_ids[quote.exchange, quote.symbol], quote) for place, _, quote in portion]


def _receive(portion: Portion, rules: MarketRules, days: TradingDays | None) -> _Received:
    """Store one quote for each of these stocks."""
    if all(quote.has_only_last_price for *_, quote in portion):
        received = _receive_last_prices(portion, rules, days)
        if received is not None:
            return received
    return _store_and_match(portion, rules, days)


def _receive_last_prices(portion: Portion, rules: MarketRules, days: TradingDays | None) -> _Received | None:
    """Store last prices by the short way; return None if they reach any order: then nothing is stored."""
    stock_ids = [stock_id for _, stock_id, _ in portion]
    prices = [quote.last_price for *_, quote in portion if quote.last_price is not None]
    done = store_last_prices(stock_ids, prices, rules.calendar, are_heard(), rules.records_candles)
    if done is None:
        return None
    outcomes = {place: done.outcomes[stock_id] for place, stock_id, _ in portion if stock_id in done.outcomes}
    taken = [quote for _, stock_id, quote in portion if stock_id not in done.missed]
    news: list[Callable[[], None]] = []
    if done.numbers:
        news.append(functools.partial(_publish_last_prices, taken, done.numbers, done.at))
    if done.trades:
        news.append(functools.partial(recorder.add, done.trades))
    missed = [one for one in portion if one[1] in done.missed]
    if not missed:
        return _Received(done.quotes, outcomes, [], news)
    rest = _store_and_match(_renewed(missed), rules, days)
    return _Received(done.quotes + rest.stored, outcomes | rest.outcomes, rest.matches, [*news, *rest.news])


@transactional
def _store_and_match(portion: Portion, rules: MarketRules, days: TradingDays | None) -> _Received:
    stock_ids = [stock_id for _, stock_id, _ in portion]
    lock_exclusive(stock_ids)
    stocks, now = lock_stocks(stock_ids)
    if now is None or not all(stock_id in stocks and stocks[stock_id]["is_active"] for stock_id in stock_ids):
        raise StocksChanged
    at = {name: Moment.of(now, days, name, rules.max_age_s) for name in SessionClass}
    taken: dict[UUID, Taken] = {}
    outcomes: dict[int, str] = {}
    for place, stock_id, quote in portion:
        stock = stocks[stock_id]
        result = take(stock, quote, at[SessionClass(stock["session_class"])])
        outcome = result if isinstance(result, NotStored) else result.outcome
        if outcome is not None:
            outcomes[place] = str(outcome)
        if not isinstance(result, NotStored):
            taken[stock_id] = result
    store(taken.values())
    usable = {stock_id: one.quote for stock_id, one in taken.items() if one.quote.is_usable}

    def session_end_of(stock_id: UUID) -> datetime | None:
        return session_end(now, days=days, session_class=stocks[stock_id]["session_class"])

    news: list[Callable[[], None]] = []
    if taken:
        news.append(functools.partial(_publish_quotes, [stocks[one] for one in taken], list(taken.values())))
    if rules.records_candles:
        news.append(functools.partial(_record, portion, stocks, taken))
    return _Received(len(taken), outcomes, match(usable, on_quote, now, session_end_of), news)


def _publish_last_prices(quotes: Sequence[GivenQuote], numbers: Sequence[int], at: datetime) -> None:
    keys = [f"{quote.exchange}:{quote.symbol}" for quote in quotes]
    publish_last_prices(keys, numbers, [quote.last_price for quote in quotes if quote.last_price is not None], at)


def _publish_quotes(stocks: Sequence[StockRow], taken: Sequence[Taken]) -> None:
    if are_heard():
        publish_quotes(live_quote({**stock, **one.columns}) for stock, one in zip(stocks, taken, strict=True))


def _record(portion: Portion, stocks: Mapping[UUID, StockRow], taken: Mapping[UUID, Taken]) -> None:
    """Let the trades of stored quotes be in their candles; the stocks are as they were before."""
    found = (
        trade_of(stocks[stock_id], one.quote, quote.last_traded_at, one.columns.get("largest_volume"))
        for _, stock_id, quote in portion
        if (one := taken.get(stock_id)) is not None
    )
    trades = [trade for trade in found if trade is not None]
    if trades:
        recorder.add(trades)
