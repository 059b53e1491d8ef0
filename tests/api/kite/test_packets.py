"""The packets of the ticker, read byte by byte as Kite Connect 3 describes them."""

import struct

import pytest

from api.kite.packets import (
    PACKETS_OF_A_FRAME,
    frames,
    full_packet,
    ltp_packet,
    packet_writers,
    quote_packet,
)
from trading.market.live_quotes import LiveQuote

INFY, NIFTY = 408065, 256265
QUOTE = LiveQuote(
    exchange="NSE",
    symbol="INFY",
    quote_number=7,
    last_price="1573.70",
    last_price_at="2026-11-27T05:11:26.250000Z",
    bid_price="1573.40",
    ask_price="1573.75",
    bid_quantity=5,
    ask_quantity=172,
    volume=1_192_471,
    open_price="1569.15",
    high_price="1575.00",
    low_price="1561.05",
    previous_close="1567.80",
    quoted_at="2026-11-27T05:11:27.900000Z",
    is_halted=False,
    newest_trade_at="2026-11-27T05:11:25.999999Z",
)
AT = 1_795_756_287  # 2026-11-27 05:11:27 UTC
# The places of the numbers, and the numbers: everything but depth.
PLACES = {
    (0, 4): INFY,
    (4, 8): 157370,
    (8, 12): 0,
    (12, 16): 0,
    (16, 20): 1_192_471,
    (20, 24): 5,
    (24, 28): 172,
    (28, 32): 156915,
    (32, 36): 157500,
    (36, 40): 156105,
    (40, 44): 156780,
    (44, 48): AT - 2,
    (48, 52): 0,
    (52, 56): 0,
    (56, 60): 0,
    (60, 64): AT,
}


def body(packet: bytes) -> bytes:
    """Return a packet without its length, which must be right."""
    (length,) = struct.unpack(">H", packet[:2])
    assert length == len(packet) - 2
    return packet[2:]


def numbers(packet: bytes, places: list[tuple[int, int]]) -> list[int]:
    return [int.from_bytes(packet[start:end], "big") for start, end in places]


def test_a_full_packet_has_each_number_at_its_place() -> None:
    packet = body(full_packet(INFY, QUOTE))
    assert len(packet) == 184
    assert numbers(packet, list(PLACES)) == list(PLACES.values())
    levels = list(struct.iter_unpack(">IIHxx", packet[64:]))
    assert levels == [(5, 157340, 1), *[(0, 0, 0)] * 4, (172, 157375, 1), *[(0, 0, 0)] * 4]


def test_a_quote_is_the_beginning_of_a_full_packet_and_ltp_that_of_a_quote() -> None:
    full, quote, ltp = (body(pack(INFY, QUOTE)) for pack in (full_packet, quote_packet, ltp_packet))
    assert (quote, ltp) == (full[:44], full[:8])


def test_an_index_has_packets_of_its_own() -> None:
    falling = QUOTE._replace(last_price="1560.00")
    quote, full = body(quote_packet(NIFTY, falling)), body(full_packet(NIFTY, falling))
    assert struct.unpack(">6Ii", quote) == (NIFTY, 156000, 157500, 156105, 156915, 156780, -780)
    assert full == quote + struct.pack(">I", AT)
    assert len(body(ltp_packet(NIFTY, falling))) == 8


def test_what_is_not_known_is_zero() -> None:
    packet = body(full_packet(INFY, LiveQuote("NSE", "INFY", 1, "1.05", "1970-01-02T00:00:00Z", *[None] * 11, None)))
    expected = {(4, 8): 105, (44, 48): 86_400, (60, 64): 86_400}  # both times are that of the price
    places = [place for place in PLACES if place not in expected and place != (0, 4)]
    assert numbers(packet, list(expected)) == list(expected.values())
    assert not any(numbers(packet, places))
    assert not any(packet[64:])


@pytest.mark.parametrize("pack", [ltp_packet, quote_packet, full_packet])
def test_no_number_needs_the_bit_of_a_sign(pack: object) -> None:
    most = QUOTE._replace(
        last_price="10000000.00", high_price="10000000.00", volume=2**40, bid_quantity=2**31, ask_quantity=2**33
    )
    packet = body(pack(2**31 - 1, most))  # type: ignore[operator]
    whole = packet[: min(len(packet), 72)]
    assert all(number >= 0 for (number,) in struct.iter_unpack(">i", whole))


def test_a_stock_without_a_price_or_a_token_has_no_packet() -> None:
    tokens = {"NSE:INFY": INFY}
    for mode, write in packet_writers(tokens).items():
        assert write(QUOTE._replace(last_price=None)) == b"", mode
        assert write(QUOTE._replace(symbol="TCS")) == b""
        assert int.from_bytes(write(QUOTE)[2:6], "big") == INFY


@pytest.mark.parametrize("number", [1, PACKETS_OF_A_FRAME, PACKETS_OF_A_FRAME + 1, 3_000])
def test_many_packets_are_divided_among_frames(number: int) -> None:
    packet, left = full_packet(INFY, QUOTE), number
    for frame in frames([packet] * number):
        start = 4 if frame[1] == 126 else 10
        payload = frame[start:]
        assert frame[0] == 0x82
        assert int.from_bytes(frame[2:start], "big") == len(payload)
        found = int.from_bytes(payload[:2], "big")
        assert payload[2:] == packet * found
        left -= found
    assert left == 0
    assert list(frames([])) == []
