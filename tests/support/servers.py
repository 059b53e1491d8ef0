"""The servers of a run, and the work on them that needs no session of the product."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

import psycopg2

from embedded.postgres import Postgres
from embedded.valkey import Valkey
from models import buckets, database

# The number of buckets of accounts that this run has: SHARDS=4 make faults.
SHARDS = int(os.environ.get("SHARDS") or 1)
# On a busy machine Redis may answer late, which must not count as an outage. Tests of the limits use another URL.
REDIS_PATIENCE_S = 5
# Nothing of a test is to outlive a power failure; killed servers lose nothing by these settings.
FORGETFUL = {"fsync": "off", "full_page_writes": "off"}
# All are emptied between tests. Triggers refuse that, so they are switched off for it.
OF_ACCOUNTS = (
    "detached_month",
    "gathered_month",
    "gathered_position",
    "ledger_opening",
    "position_opening",
    "taken_client_order_id",
    "position_change",
    "idempotency_key",
    "event",
    "lost_event",
    "job_run",
    "square_off",
    "fund_transaction",
    "trading_order",
    "position",
    "account",
)
SHARED = (
    "admin_action",
    "ledger_check",
    "job_run",
    "stock_search",
    "recorded_price",
    "price_recording",
    "candle",
    "day_candle",
    "token_use",
    "api_token",
    "stock",
    "market_holiday",
    "session",
)


@dataclass(frozen=True)
class Servers:
    """Hold the servers' URLs, and the servers themselves where they are ours (else None)."""

    database_url: str
    redis_url: str
    postgres: Postgres | None
    valkey: Valkey | None


def point_models_at(url: str) -> None:
    """Let the models of this process be of the run's database, as they are for all tests but a few."""
    database.initialise(url, pool_size=40, shards=SHARDS)


def emptying(but: Collection[str] = ()) -> str:
    """Return the statements that empty the tables but for some, those of all buckets if there are several."""
    of_accounts, shared = ([table for table in tables if table not in but] for tables in (OF_ACCOUNTS, SHARED))
    if buckets.are_several():
        of_accounts = [f"{buckets.schema_of(shard)}.{table}" for shard in buckets.shards() for table in of_accounts]
        shared = [f"{buckets.SHARED_SCHEMA}.{table}" for table in shared]
    return "".join(f"DELETE FROM {table};" for table in dict.fromkeys([*of_accounts, *shared]))


def path_option() -> str | None:
    """Return the option by which a plain connection finds the tables of the bucket that the test is in, if any."""
    shard = buckets.current() if buckets.are_several() else None
    return None if shard is None else f"-csearch_path={buckets.path_of(shard)}"


def path_to(account_id: UUID | None) -> str:
    """Return the statement that lets a plain connection find the tables of an account; it is empty with one bucket.

    Without an account the connection finds those of the bucket that the test is in, or else the views over all buckets
    (tests.support.joined).
    """
    path = buckets.path_of(buckets.current() if account_id is None else buckets.shard_of(account_id))
    return f"SET search_path = {path};" if buckets.are_several() else ""


def patient(redis_url: str) -> str:
    """Return the URL of a Redis that may answer late."""
    limits = f"socket_timeout={REDIS_PATIENCE_S}&socket_connect_timeout={REDIS_PATIENCE_S}"
    return f"{redis_url}{'&' if '?' in redis_url else '?'}{limits}"


def numbered(redis_url: str) -> str:
    """Return the URL of the Redis database of this process: parallel ones count from the number that is given."""
    parts = urlsplit(redis_url)
    number = int(parts.path.strip("/") or 0) + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return parts._replace(path=f"/{number}").geturl()


def administer(url: str, statement: str) -> None:
    """Run a statement on a connection of its own, outside a transaction."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()
