"""Minute candles of the quotes that this process takes: gathered in memory, and written every few seconds.

A quote costs no statement and no wait. A process that is killed loses the trades since its last write; one that ends
writes them first. Written again, or by several processes, the same quotes make the same candles.
"""

import atexit
import threading
import time
from collections.abc import Iterable
from uuid import UUID

from models.database import DatabaseUnavailable, array_of, execute, transactional
from runtime import metrics
from runtime.logs import get_logger
from trading.rules.candles import Candle, Trade

# The running minute is readable after this time, and a killed process loses no more.
PAUSE_S = 2.0
CANDLES_PER_TRANSACTION = 500
# Those that wait for a database that is gone: 5,000 stocks for ten minutes, at most 25 MB.
MAX_WAITING = 50_000

# In the order of the key, so that processes which write the same candles wait for each other and never in a circle.
WRITE = """
INSERT INTO candle AS known (stock_id, minute, open_price, high_price, low_price, close_price,
    first_number, last_number, volume_from, volume_to)
SELECT stock_id, to_timestamp(minute * 60), open, high, low, close, first, last, volume_from, volume_to
FROM unnest(%s::uuid[], %s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::bigint[],
    %s::bigint[], %s::bigint[], %s::bigint[])
    AS given (stock_id, minute, open, high, low, close, first, last, volume_from, volume_to)
ON CONFLICT (stock_id, minute) DO UPDATE SET
    open_price = CASE WHEN excluded.first_number < known.first_number THEN excluded.open_price
        ELSE known.open_price END,
    high_price = greatest(known.high_price, excluded.high_price),
    low_price = least(known.low_price, excluded.low_price),
    close_price = CASE WHEN excluded.last_number > known.last_number THEN excluded.close_price
        ELSE known.close_price END,
    first_number = least(known.first_number, excluded.first_number),
    last_number = greatest(known.last_number, excluded.last_number),
    volume_from = least(known.volume_from, excluded.volume_from),
    volume_to = greatest(known.volume_to, excluded.volume_to)
WHERE known.first_number IS NOT NULL -- an imported candle stays
"""

Key = tuple[UUID, int]
logger = get_logger(__name__)


class Recorder:
    """The candles of this process that are not written yet, and the thread that writes them."""

    def __init__(self) -> None:
        self._candles: dict[Key, Candle] = {}
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._has_news = threading.Event()
        self._is_started = False

    def add(self, trades: Iterable[Trade]) -> None:
        """Add trades of committed quotes; they are written a moment later."""
        with self._lock:
            for trade in trades:
                key = (trade.stock_id, trade.minute)
                candle = self._candles.get(key)
                if candle is None:
                    self._candles[key] = Candle(trade)
                else:
                    candle.add(trade)
            self._start()
        self._has_news.set()

    def write(self) -> int:
        """Write the gathered candles and return their number, in transactions of 500.

        Raises DatabaseUnavailable, and keeps the candles that are not written.
        """
        with self._writing:  # whoever ends this process waits for the thread
            with self._lock:
                gathered, self._candles = self._candles, {}
            waiting = sorted(gathered.items())
            count = len(waiting)
            try:
                while waiting:
                    _write(waiting[:CANDLES_PER_TRANSACTION])
                    del waiting[:CANDLES_PER_TRANSACTION]
            except DatabaseUnavailable:
                metrics.count_candles("lost", self._put_back(waiting))
                raise
            except Exception:
                metrics.count_candles("lost", len(waiting))
                raise
            finally:
                metrics.count_candles("written", count - len(waiting))
            return count

    def write_quietly(self) -> None:
        """Write the gathered candles; an error is logged."""
        try:
            self.write()
        except DatabaseUnavailable as error:
            logger.warning("candles_wait_for_database", error=str(error).split("\n")[0])
        except Exception:  # a bad candle may not end the recording of the next ones
            logger.exception("candles_lost")

    def _put_back(self, candles: list[tuple[Key, Candle]]) -> int:
        """Keep candles that were not written, and return the number of those for which there is no room."""
        lost = 0
        with self._lock:
            for key, candle in candles:
                newer = self._candles.get(key)
                if newer is not None:
                    newer.add_candle(candle)
                elif len(self._candles) < MAX_WAITING:
                    self._candles[key] = candle
                else:
                    lost += 1
        self._has_news.set()
        return lost

    def _start(self) -> None:
        """Start the thread with the first trade: a process that takes no quotes has none."""
        if not self._is_started:
            self._is_started = True
            atexit.register(self.write_quietly)
            threading.Thread(target=self._run, name="candles", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._has_news.wait()
            time.sleep(PAUSE_S)
            self._has_news.clear()
            self.write_quietly()


recorder = Recorder()


@transactional
def _write(candles: list[tuple[Key, Candle]]) -> None:
    rows = [(stock_id, minute, *candle.columns()) for (stock_id, minute), candle in candles]
    execute(WRITE, [array_of(column) for column in zip(*rows, strict=True)])
