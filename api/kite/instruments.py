"""The list of instruments, which bots read at their start, with a token or without."""

import threading
import zlib
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import NamedTuple

import flask
from flask import Response, request

from schemas.kite.instruments import HEADER, lines
from schemas.orders import EXCHANGES
from trading.market.instruments import list_instruments

from .envelope import KiteRefusal

blueprint = flask.Blueprint("kite_instruments", __name__, url_prefix="/kite")

CSV = "text/csv"  # Kite's clients compare the type with this very word: no charset may follow
PATIENCE_S = 5.0  # Kite's clients give up after 7 s
PORTION = 500  # stocks in a statement; the process serves others after each
UNPACKED_AT_ONCE = 64 * 1024
GZIP = 31  # zlib's wbits for the format of gzip
LEVEL = 1


class Packed(NamedTuple):
    """A gzipped list, and the time at which it was begun."""

    begun_at: float
    body: bytes


class Lists:
    """The list of an exchange or of all: one is made at a time, and those who waited meanwhile share the next one.

    No request gets a list that was begun before it. Many bots that start together cost one or two lists.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest = Packed(-1.0, b"")

    def read(self, exchange: str | None) -> bytes:
        """Return the gzipped list."""
        asked_at = monotonic()
        if not self._lock.acquire(timeout=PATIENCE_S):
            raise KiteRefusal("NetworkException", "The list of instruments takes too long. Try later.", 503)
        try:
            if self._newest.begun_at < asked_at:
                begun_at = monotonic()
                self._newest = Packed(begun_at, _gzip(_texts([exchange] if exchange else EXCHANGES)))
            return self._newest.body
        finally:
            self._lock.release()


# Of all exchanges, and of each.
lists: dict[str | None, Lists] = {exchange: Lists() for exchange in (None, *EXCHANGES)}


@blueprint.get("/instruments", defaults={"exchange": None})
@blueprint.get("/instruments/<exchange>")
def instruments(exchange: str | None) -> Response:
    """List all stocks, or those of an exchange, by symbol; an unknown exchange has none."""
    known = exchange.upper() if exchange else None
    body = lists[known].read(known) if known in lists else _gzip([HEADER])
    if request.accept_encodings["gzip"] > 0:
        response = Response(body, content_type=CSV, headers={"Content-Encoding": "gzip"})
    else:
        response = Response(_unpack(body), content_type=CSV)
    response.vary.add("Accept-Encoding")
    return response


def _texts(exchanges: Iterable[str]) -> Iterator[str]:
    """Yield the list in portions."""
    yield HEADER
    for exchange in exchanges:
        after = ""
        while rows := list_instruments(exchange, after=after, limit=PORTION):
            yield lines(rows)
            after = rows[-1]["symbol"]


def _gzip(texts: Iterable[str]) -> bytes:
    packer = zlib.compressobj(LEVEL, wbits=GZIP)
    return b"".join([*(packer.compress(text.encode()) for text in texts), packer.flush()])


def _unpack(body: bytes) -> Iterator[bytes]:
    """Yield a gzipped text in portions."""
    unpacker = zlib.decompressobj(wbits=GZIP)
    while body:
        yield unpacker.decompress(body, UNPACKED_AT_ONCE)
        body = unpacker.unconsumed_tail
