"""The three threads of a feed of quotes: one hands out, one follows Redis, and one compares with the database."""

import functools
import threading
import time

import redis

from models.database import DatabaseUnavailable
from runtime import redis_link
from runtime.logs import get_logger
from trading.market.live_quotes import call_followers, channel, read_changed, read_message

from .quote_feed import INTERVAL_S, QuoteFeed
from .subscription import follow

# A message can be lost, and there may be no Redis; the comparison finds its quotes.
COMPARE_S = 1.0
# Handing out takes a tenth of the time at most, until a stock's turn cannot come less often.
MIN_PAUSE_S, PAUSE_SHARE = 0.02, 9.0

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
        time.sleep(min(INTERVAL_S, max(MIN_PAUSE_S, PAUSE_SHARE * (time.monotonic() - began))))


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
