"""Historical candles of an instrument: GET /instruments/historical/{token}/{interval}."""

from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID

from flask import Blueprint, Response

from trading.market.candles import read_candles, read_day_candles
from trading.market.instruments import find_instruments
from trading.rules.sessions import INDIAN_TIME, at_indian_time, indian_day

from .authentication import requires
from .envelope import JSON, KiteRefusal
from .forms import flag, required, values

blueprint = Blueprint("kite_historical", __name__, url_prefix="/kite")

DAY = "day"
# The minutes of each interval but the day, and the longest span of a request in days (kite.trade/docs/connect/v3/
# historical and the forum of Kite Connect, read 2026-11).
MINUTES = {
    "minute": 1,
    "3minute": 3,
    "5minute": 5,
    "10minute": 10,
    "15minute": 15,
    "30minute": 30,
    "60minute": 60,
    "hour": 60,  # not in the documentation, but in the tests of Kite's client in Python
}
MAX_DAYS = {
    "minute": 60,
    "3minute": 100,
    "5minute": 100,
    "10minute": 100,
    "15minute": 200,
    "30minute": 200,
    "60minute": 400,
    "hour": 400,
    DAY: 2000,
}
LAST_SECOND = time(23, 59, 59)
MAX_TOKEN_LENGTH = 10
YEARS = range(1900, 2200)  # far from the ends of the calendar


class Span(NamedTuple):
    """The times from which and to which candles are wanted, both included."""

    first: datetime
    last: datetime


@blueprint.get("/instruments/historical/<token>/<interval>")
@requires("read")
def read_historical(token: str, interval: str) -> Response:
    """Respond with the candles of an instrument that begin in a span, the oldest first.

    Each is a list of its time, the opening, highest, lowest and closing price, the volume, and with oi=1 an open
    interest of 0. `continuous` changes nothing: it is for futures that have expired.
    """
    given = values()
    if interval not in MAX_DAYS:
        raise KiteRefusal("InputException", "Invalid `interval`.")
    span = _span(given, interval)
    interest = flag(given, "oi")
    flag(given, "continuous")
    candles = _read(_stock_id(token), interval, span, interest=interest)
    return Response(f'{{"status":"success","data":{{"candles":{candles}}}}}', content_type=JSON)


def _read(stock_id: UUID, interval: str, span: Span, *, interest: bool) -> str:
    if interval == DAY:
        return read_day_candles(stock_id, indian_day(span.first), indian_day(span.last), interest=interest)
    step = timedelta(minutes=MINUTES[interval])
    return read_candles(stock_id, step, span.first, span.last, interest=interest)


def _stock_id(token: str) -> UUID:
    """Return the id of an active stock by its instrument token, or refuse."""
    is_number = token.isascii() and token.isdecimal() and len(token) <= MAX_TOKEN_LENGTH
    found = find_instruments([int(token)]) if is_number else []
    if not found:
        raise KiteRefusal("InputException", "invalid token")
    return found[0]["id"]


def _span(given: dict[str, str], interval: str) -> Span:
    """Return the span of a query; refuse one that ends before it begins, or is too long."""
    required(given, "from", "to")
    span = Span(_moment(given, "from", time()), _moment(given, "to", LAST_SECOND))
    if span.first > span.last:
        raise KiteRefusal("InputException", "invalid from date: it is after the to date")
    limit = MAX_DAYS[interval]
    if span.last.date() - span.first.date() > timedelta(days=limit):
        raise KiteRefusal("InputException", f"interval exceeds max limit: {limit} days")
    return span


def _moment(given: dict[str, str], name: str, clock: time) -> datetime:
    """Return an Indian time of a query; a day alone stands for this time of the day."""
    text = given[name].strip()
    moment: datetime | None
    try:
        if len(text) <= len("2026-01-31"):
            moment = at_indian_time(date.fromisoformat(text), clock)
        else:
            moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.year not in YEARS:
        raise KiteRefusal("InputException", f"invalid {name} date")
    return moment.replace(tzinfo=INDIAN_TIME) if moment.tzinfo is None else moment.astimezone(INDIAN_TIME)
