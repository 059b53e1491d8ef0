"""Pack quotes for Kite's ticker: the binary packets of the modes ltp, quote and full, each behind its length.

The clients tell the packets apart by their length alone. All numbers are big-endian, and prices are in paise.
"""

import functools
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from api.stream.listeners import binary_frame
from api.stream.watchers import Writer
from trading.market.live_quotes import LiveQuote

MODES = ("ltp", "quote", "full")
# The low byte of an index's token. The packets of an index are shorter, and not tradable.
INDICES = 9
# JavaScript's client reads signed numbers.
LARGEST = 2**31 - 1
# A frame of 350 packets has 65 KB at most: other messages of a slow connection go between two frames.
PACKETS_OF_A_FRAME = 350

LTP = struct.Struct(">HII")
QUOTE = struct.Struct(">H11I")
# The time of the last trade, three numbers of the open interest, and the time of the quote.
TIMES = struct.Struct(">5I")
# Quantity, price, orders, and two bytes without a meaning.
LEVEL = struct.Struct(">IIHxx")
EMPTY_LEVELS = bytes(4 * LEVEL.size)  # only the best level of each side is known
INDEX_QUOTE = struct.Struct(">H6Ii")
TIME = struct.Struct(">I")
# The lengths of the packets, without the two bytes of the length itself.
LTP_BYTES, QUOTE_BYTES, FULL_BYTES, INDEX_QUOTE_BYTES, INDEX_FULL_BYTES = 8, 44, 184, 28, 32


def ltp_packet(token: int, quote: LiveQuote) -> bytes:
    """Return the packet of the mode ltp."""
    return LTP.pack(LTP_BYTES, token, paise(quote.last_price))


def quote_packet(token: int, quote: LiveQuote) -> bytes:
    """Return the packet of the mode quote."""
    if token & 0xFF == INDICES:
        return _index_packet(token, quote, INDEX_QUOTE_BYTES)
    return _quote_packet(token, quote, QUOTE_BYTES)


def full_packet(token: int, quote: LiveQuote) -> bytes:
    """Return the packet of the mode full."""
    if token & 0xFF == INDICES:
        return _index_packet(token, quote, INDEX_FULL_BYTES) + TIME.pack(_seconds(quote.quoted_at))
    parts = (
        _quote_packet(token, quote, FULL_BYTES),
        TIMES.pack(_seconds(quote.newest_trade_at or quote.last_price_at), 0, 0, 0, _seconds(quote.quoted_at)),
        _level(quote.bid_price, quote.bid_quantity),
        EMPTY_LEVELS,
        _level(quote.ask_price, quote.ask_quantity),
        EMPTY_LEVELS,
    )
    return b"".join(parts)


PACKETS = dict(zip(MODES, (ltp_packet, quote_packet, full_packet), strict=True))


def packet_writers(tokens: Mapping[str, int]) -> dict[str, Writer]:
    """Return the writer of each mode; `tokens` are the instrument tokens of stocks by their keys.

    A stock that never had a price has no packet: bots would take a price of 0 for one.
    """

    def write(mode: str, quote: LiveQuote) -> bytes:
        token = tokens.get(quote.key)
        if token is None or quote.last_price is None:
            return b""
        return PACKETS[mode](token, quote)

    return {mode: functools.partial(write, mode) for mode in MODES}


def frames(packets: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the frames with these packets, which are not empty."""
    for first in range(0, len(packets), PACKETS_OF_A_FRAME):
        some = packets[first : first + PACKETS_OF_A_FRAME]
        yield binary_frame(len(some).to_bytes(2, "big") + b"".join(some))


def paise(price: str | None) -> int:
    """Return a price, a text with two places, in paise; 0 for None."""
    return 0 if price is None else int(price.replace(".", ""))


def _quote_packet(token: int, quote: LiveQuote, length: int) -> bytes:
    return QUOTE.pack(
        length,
        token,
        paise(quote.last_price),
        0,  # the quantity of the last trade is not known
        0,  # nor is the average price of the day
        _whole(quote.volume),
        _whole(quote.bid_quantity),
        _whole(quote.ask_quantity),
        *_prices_of_the_day(quote.open_price, quote.high_price, quote.low_price, quote.previous_close),
    )


def _index_packet(token: int, quote: LiveQuote, length: int) -> bytes:
    last, close = paise(quote.last_price), paise(quote.previous_close)
    prices = _prices_of_the_day(quote.high_price, quote.low_price, quote.open_price, quote.previous_close)
    return INDEX_QUOTE.pack(length, token, last, *prices, last - close if close else 0)


def _prices_of_the_day(*prices: str | None) -> Iterable[int]:
    return map(paise, prices)


def _level(price: str | None, quantity: int | None) -> bytes:
    return LEVEL.pack(_whole(quantity), paise(price), int(price is not None))


def _whole(number: int | None) -> int:
    return min(number or 0, LARGEST)


def _seconds(moment: str | None) -> int:
    """Return a time in whole seconds since 1970; 0 for None."""
    return 0 if moment is None else int(datetime.fromisoformat(moment).timestamp())
