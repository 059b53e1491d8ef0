"""A plain connection of a thread, outside the product's pool."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg2
import psycopg2.extras

# psycopg2's classes for SQLSTATE 55P03 and 40P01.
LOCK_TIMEOUT = psycopg2.errors.LockNotAvailable
DEADLOCK = psycopg2.errors.DeadlockDetected


class Link:
    """A connection whose transactions are blocks: `with link.transaction(): link.rows(…)`."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url, application_name="matching-stress")
        self._connection.autocommit = True
        psycopg2.extras.register_uuid(conn_or_curs=self._connection)
        self.rows("SET statement_timeout = '30s'")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a block as one READ COMMITTED transaction; an exception rolls back."""
        self.rows("BEGIN")
        try:
            yield
        except BaseException:
            self.rows("ROLLBACK")
            raise
        self.rows("COMMIT")

    def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Run a statement and return its rows, if it has any."""
        with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(sql, parameters or None)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def write(self, sql: str, values: Sequence[tuple[Any, ...]], template: str | None = None) -> None:
        """Run a statement with a VALUES list."""
        if values:
            with self._connection.cursor() as cursor:
                psycopg2.extras.execute_values(cursor, sql, values, template=template, page_size=1000)

    def value(self, sql: str, *parameters: Any) -> Any:
        """Return the only value of the only row."""
        [row] = self.rows(sql, *parameters)
        return next(iter(row.values()))

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        self._connection.close()
