"""The three threads of a feed of quotes: one hands out, one follows Redis, and one compares with the database."""

import functools
import threading
import time

import redis

from models.database import DatabaseUnavailable
from runtime import redis_link
from runtime.logs import get_logger
from trading.market.live_quotes import call_followers, channel, read_changed, read_message

from .quote_feed import QuoteFeed
from .subscription import follow

# A message can be lost, and there may be no Redis; the comparison finds its quotes.
COMPARE_S = 1.0
# A short round of handing out takes a tenth of the time at most, and a long one half of it. Between them a quote does
# not wait longer than this for the next round: 500 tickers with 200 stocks each take 0.06 s.
MIN_PAUSE_S, MAX_PAUSE_S, PAUSE_SHARE = 0.02, 0.1, 9.0

logger = get_logger(__name__)


def start(feed: QuoteFeed) -> None:
    """Start the threads; they end with the process."""
    for run in (_hand_out, _follow, _compare):
        threading.Thread(target=functools.partial(run, feed), name=f"quotes{run.__name__}", daemon=True).start()


def _hand_out(feed: QuoteFeed) -> None:
    while True:
        feed.wait_for_news()
        began = time.monotonic()
        try:
            feed.hand_out()
        except Exception:  # one bad quote may not end the quotes of thousands of listeners
            logger.exception("quotes_failed")
        time.sleep(_pause_after(time.monotonic() - began))


def _pause_after(round_s: float) -> float:
    """Return the seconds between a round of handing out, which has taken round_s, and the next."""
    return max(MIN_PAUSE_S, round_s, min(MAX_PAUSE_S, PAUSE_SHARE * round_s))


def _follow(feed: QuoteFeed) -> None:
    def take(_: str, payload: bytes) -> None:
        try:
            feed.take(read_message(payload))
        except (ValueError, TypeError, AttributeError):  # another release, or any client of Redis, may publish any text
            logger.warning("quotes_ignored", message=payload[:100].decode(errors="replace"))

    while redis_link.is_enabled():
        feed.wait_for_watchers()
        try:
            follow(channel(), take, call_followers, lambda: feed.is_watched)
        except redis.RedisError as error:
            logger.warning("quotes_wait_for_redis", error=str(error))
            time.sleep(COMPARE_S)


def _compare(feed: QuoteFeed) -> None:
    while True:
        feed.wait_for_watchers()
        time.sleep(COMPARE_S)
        try:
            known = feed.known
            if known:
                feed.correct(known, read_changed(known))
        except DatabaseUnavailable as error:
            logger.warning("quotes_wait_for_database", error=str(error))
        except Exception:
            logger.exception("quotes_not_compared")
