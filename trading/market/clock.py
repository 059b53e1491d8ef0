"""The time of the market, which a replay sets."""

from datetime import datetime

from models.database import fetch_one, session


def market_time() -> datetime:
    """Return the time of the market."""
    with session():
        row = fetch_one("SELECT market_now() AS now")
    assert row is not None
    now: datetime = row["now"]
    return now
