"""The market's clock of a test's database: it runs on from the time that it is set to."""

import contextlib
from collections.abc import Iterator

from tests.support.trading import one, run

READ = "SELECT pg_get_functiondef('market_now'::regproc)"
REPLACE = """
CREATE OR REPLACE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql
AS 'SELECT clock_timestamp() + interval ''{}'''
"""


@contextlib.contextmanager
def replaced() -> Iterator[None]:
    """Restore the market's clock afterwards."""
    definition = one(READ)
    try:
        yield
    finally:
        run(definition)


def set_to(moment: str) -> None:
    """Set the market's clock to an Indian time, such as "2026-11-02 15:12"."""
    run(REPLACE.format(one("SELECT %s::timestamp AT TIME ZONE 'Asia/Kolkata' - clock_timestamp()", moment)))
