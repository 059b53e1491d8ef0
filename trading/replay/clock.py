"""The virtual clock of a replay: it moves when the replay moves it, and by a microsecond at each reading."""

import contextlib
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from models import identifiers
from models.database import execute, fetch_one
from runtime import market_clock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND, MILLISECOND = timedelta(microseconds=1), timedelta(milliseconds=1)
# A sequence, because no transaction takes back what it has counted: the clock never goes back.
RUN = """
CREATE OR REPLACE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql AS
    $$SELECT timestamptz 'epoch' + nextval('replay_clock') * interval '1 microsecond'$$;
"""
INSTALL = f"CREATE SEQUENCE replay_clock; {RUN}"
# In a transaction that only reads, as the check of the ledger is, no sequence moves.
STOP = """
CREATE OR REPLACE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql AS
    $$SELECT timestamptz 'epoch' + {microseconds} * interval '1 microsecond'$$;
"""
MOVE = """
SELECT setval('replay_clock', greatest(%s, CASE WHEN is_called THEN last_value + 1 ELSE last_value END), false) AS now
FROM replay_clock
"""
COUNTER_BITS, CHANCE_BITS = 32, 48


class VirtualClock:
    """The time of a replay, in this process and in its database."""

    def __init__(self) -> None:
        self.now = EPOCH
        self._ids = 0
        self._chance = random.Random(0)  # noqa: S311  the same identifiers in every run

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Give this clock to the database of the open session, which nobody else may use, and to this process."""
        execute(INSTALL)
        with self.running():
            yield

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Give this clock to this process; the database has it already."""
        with market_clock.set_to(lambda: self.now), identifiers.drawn_from(self._new_id):
            yield

    def move(self, at: datetime) -> None:
        """Move the clock to a time, or by a microsecond if it is there already; needs an open session."""
        row = fetch_one(MOVE, ((at - EPOCH) // MICROSECOND,))
        assert row is not None
        self.now = EPOCH + row["now"] * MICROSECOND

    def stop(self, at: datetime) -> None:
        """Let the clock stand at a time, for those who read the results; needs an open session."""
        self.now = at
        execute(STOP.format(microseconds=(at - EPOCH) // MICROSECOND))

    @contextlib.contextmanager
    def standing(self) -> Iterator[None]:
        """Let the clock stand for a block that only reads; needs an open session."""
        self.stop(self.now)
        try:
            yield
        finally:
            execute(RUN)

    def _new_id(self) -> uuid.UUID:
        """Return the next identifier; the identifiers sort by time, those of one millisecond by their creation."""
        self._ids += 1
        bits = (self._ids << CHANCE_BITS) | self._chance.getrandbits(CHANCE_BITS)
        return identifiers.version_7((self.now - EPOCH) // MILLISECOND, bits)
