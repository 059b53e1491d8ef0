"""Lists: a page as JSON or, for `Accept: text/csv`, all their rows as CSV, which are read and sent in portions."""

import errno
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

from flask import Response, request
from peewee import PeeweeException

from models import buckets
from models.database import DatabaseUnavailable, Row, session
from runtime.logs import get_logger
from schemas.base import StrictSchema

from .authentication import bearer_secret, principal_of_secret
from .csv_rows import CsvRows
from .description import Document, carries, described
from .errors import HttpRefusal, invalid
from .negotiation import prefers
from .pagination import Keyset, fetch_page, fetch_rows
from .responses import respond

# A portion is read in one statement and takes some 5 ms of the process, which serves others after each CHUNK.
PORTION, CHUNK = 250, 50
# At the same time, in one web process.
EXPORTS_OF_ACCOUNT, EXPORTS_OF_PROCESS = 2, 16
RETRY_AFTER_S = 10
# A reader that is slower than this gives its place to others.
LIMIT_S = 3600.0
VARIES = {"Vary": "Accept"}
CSV = "text/csv; charset=utf-8; header=present"

# The description of the responses of these lists.
AS_CSV: Document = {
    "content": {"text/csv": {"schema": {"type": "string"}}},
    "headers": carries("Content-Disposition", "Vary"),
}
exported = described(problems=("too_many_exports",), responses={200: AS_CSV})

logger = get_logger(__name__)


class Cut(Exception):
    """An export that may not go on."""


class Running:
    """The exports that run in this process, by account."""

    def __init__(self) -> None:
        self._of: Counter[UUID] = Counter()
        self._lock = threading.Lock()

    def begin(self, account_id: UUID) -> Callable[[], None]:
        """Count an export, and return the function that ends it, once; refuse one that is too many."""
        with self._lock:
            if self._of[account_id] >= EXPORTS_OF_ACCOUNT or self._of.total() >= EXPORTS_OF_PROCESS:
                raise HttpRefusal("too_many_exports", headers={"Retry-After": str(RETRY_AFTER_S)})
            self._of[account_id] += 1
        has_ended = threading.Lock()

        def end() -> None:
            if has_ended.acquire(blocking=False):
                with self._lock:
                    self._of[account_id] -= 1
                    self._of += Counter()  # without the accounts that have none

        return end


running = Running()


class Query(NamedTuple):
    """The rows of a list: the start of the statement, its conditions with their values, and its own parameters."""

    select: str
    where: Mapping[str, Any]
    selects_by: Sequence[Any] = ()


class Found(NamedTuple):
    """The page that a request asks for, or the first rows of an export with the query of all of them."""

    page: Mapping[str, Any]
    query: Query | None = None


class Export(NamedTuple):
    """The rows of an export, their account, and the function that tells whether the token is still valid."""

    account_id: UUID
    query: Query
    is_valid: Callable[[], bool]


@dataclass(frozen=True)
class Listing:
    """A list of an account: its name, its order, and the schema of its pages."""

    name: str
    keyset: Keyset
    page: StrictSchema

    def find(self, query: Query, chosen: Mapping[str, Any]) -> Found:
        """Return the page that was chosen, or the first rows of an export; needs an open session."""
        if not prefers("text/csv"):
            part = {"limit": chosen["limit"], "cursor": chosen["cursor"]}
            return Found(fetch_page(query.select, query.where, self.keyset, selects_by=query.selects_by, **part))
        if parts := {"limit", "cursor"} & request.args.keys():
            raise invalid({name: ["Not allowed with text/csv, which has all rows."] for name in sorted(parts)})
        return Found({"data": self._portion(query)}, query)

    def respond(self, account_id: UUID, found: Found) -> Response:
        """Return the response with the page, or begin the export; the session has ended."""
        if found.query is None:
            return respond(self.page, found.page, headers=VARIES)
        end = running.begin(account_id)
        export = Export(account_id, found.query, _validity())
        response = Response(self._sent(export, found.page["data"], end), content_type=CSV)
        response.call_on_close(end)
        name = f"{self.name}-{datetime.now(UTC):%Y-%m-%d}.csv"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        response.headers.update(VARIES)
        return response

    def _sent(self, export: Export, rows: Sequence[Row], end: Callable[[], None]) -> Iterator[bytes]:
        """Yield the file. An error aborts the chunked body, so that no client takes a part for the whole."""
        try:
            yield from self._lines(export, rows)
        except (Cut, DatabaseUnavailable, PeeweeException) as error:
            logger.warning("export_cut", list=self.name, reason=str(error).split("\n")[0])
            # gunicorn closes the connection of such an error without the body's end.
            raise ConnectionResetError(errno.ECONNRESET, "the export cannot go on") from error
        finally:
            end()

    def _lines(self, export: Export, rows: Sequence[Row]) -> Iterator[bytes]:
        lines = CsvRows(cast(StrictSchema, cast(Any, self.page.fields["data"]).inner.schema))
        end = time.monotonic() + LIMIT_S
        yield lines.header.encode()
        while rows:
            for start in range(0, len(rows), CHUNK):
                yield lines.lines(rows[start : start + CHUNK]).encode()
                time.sleep(0)  # let other requests run
            if len(rows) < PORTION:
                return
            if not export.is_valid():
                raise Cut("the token was revoked, or has expired")
            if time.monotonic() > end:
                raise Cut("the client reads too slowly")
            # Between two portions a slow reader holds no connection and no snapshot.
            with buckets.of(export.account_id), session():
                rows = self._portion(export.query, self.keyset.values(rows[-1]))

    def _portion(self, query: Query, after: Sequence[Any] | None = None) -> list[Row]:
        select, where, selects_by = query
        return fetch_rows(select, where, self.keyset, limit=PORTION, after=after, selects_by=selects_by)


def _validity() -> Callable[[], bool]:
    """Return a function that tells whether the request's token is still valid."""
    secret = bearer_secret()
    return lambda: secret is not None and principal_of_secret(secret) is not None
