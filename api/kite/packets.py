"""Pack quotes for Kite's ticker: the binary packets of the modes ltp, quote and full, each behind its length.

The clients tell the packets apart by their length alone. All numbers are big-endian, and prices are in paise.
"""

import functools
import struct
from collections.abc import Iterator, Mapping, Sequence
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
# After a quote: five numbers; then the best level of each side (quantity, price, orders) before four empty ones.
FULL = struct.Struct(">H11I5IIIH50xIIH50x")
INDEX_QUOTE = struct.Struct(">H6Ii")
INDEX_FULL = struct.Struct(">H6IiI")
# The lengths of the packets, without the two bytes of the length itself.
LTP_BYTES, QUOTE_BYTES, FULL_BYTES, INDEX_QUOTE_BYTES, INDEX_FULL_BYTES = 8, 44, 184, 28, 32


def ltp_packet(token: int, quote: LiveQuote) -> bytes:
    """Return the packet of the mode ltp."""
    return LTP.pack(LTP_BYTES, token, paise(quote.last_price))


def quote_packet(token: int, quote: LiveQuote) -> bytes:
    """Return the packet of the mode quote."""
    if token & 0xFF == INDICES:
        return INDEX_QUOTE.pack(INDEX_QUOTE_BYTES, token, *_index_numbers(quote))
    return QUOTE.pack(QUOTE_BYTES, token, *_quote_numbers(quote))


def full_packet(token: int, quote: LiveQuote) -> bytes:
    """Return the packet of the mode full."""
    quoted_at = _seconds(quote.quoted_at or quote.last_price_at)
    if token & 0xFF == INDICES:
        return INDEX_FULL.pack(INDEX_FULL_BYTES, token, *_index_numbers(quote), quoted_at)
    return FULL.pack(
        FULL_BYTES,
        token,
        *_quote_numbers(quote),
        _seconds(quote.newest_trade_at or quote.last_price_at),
        0,  # a stock has no open interest, nor its highest and lowest of the day
        0,
        0,
        quoted_at,
        *_level(quote.bid_price, quote.bid_quantity),
        *_level(quote.ask_price, quote.ask_quantity),
    )


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


def _quote_numbers(quote: LiveQuote) -> tuple[int, ...]:
    return (
        paise(quote.last_price),
        0,  # the quantity of the last trade is not known
        0,  # nor is the average price of the day
        _whole(quote.volume),
        _whole(quote.bid_quantity),
        _whole(quote.ask_quantity),
        paise(quote.open_price),
        paise(quote.high_price),
        paise(quote.low_price),
        paise(quote.previous_close),
    )


def _index_numbers(quote: LiveQuote) -> tuple[int, ...]:
    last, close = paise(quote.last_price), paise(quote.previous_close)
    change = last - close if close else 0
    return last, paise(quote.high_price), paise(quote.low_price), paise(quote.open_price), close, change


def _level(price: str | None, quantity: int | None) -> tuple[int, int, int]:
    """Return the quantity, the price and the orders of the best level; the number of orders is not known."""
    return _whole(quantity), paise(price), int(price is not None)


def _whole(number: int | None) -> int:
    return min(number or 0, LARGEST)


# Quotes that come together have the same times.
@functools.lru_cache(maxsize=1_000)
def _seconds(moment: str | None) -> int:
    """Return a time in whole seconds since 1970; 0 for None."""
    return 0 if moment is None else int(datetime.fromisoformat(moment).timestamp())
