"""The facts about a request that the functions serving it share."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any
from uuid import UUID
from wsgiref.types import WSGIEnvironment

from flask import Response

from runtime.timing import Stopwatch
from trading.rules.decision import OrderRequest

from .token_cache import Principal

Headers = tuple[tuple[str, str], ...]
# From the code, the detail, the members and the headers of a problem.
ProblemWriter = Callable[[str, str, Mapping[str, Any] | None, Mapping[str, str] | None], Response]


class RequestFacts:
    """The facts about one request, collected while it is served; None until known, or if not applicable."""

    principal: Principal | None = None
    # The buckets that the request has chosen, if there are several; they are left when its view returns.
    routes: contextlib.ExitStack | None = None
    # The headers of a page, which replace those of the API.
    page_headers: Headers | None = None
    problem_code: str | None = None
    problem_fields: Sequence[str] = ()
    # Writes the problems of a door that has another form for them.
    write_problem: ProblemWriter | None = None

    # For placements and baskets.
    stopwatch: Stopwatch | None = None
    wanted_order: OrderRequest | None = None
    placed_order: Mapping[str, Any] | None = None
    is_replayed: bool = False
    placement_is_logged: bool = False
    is_beyond_limit: bool = False
    # The placements left in the token's window, and the seconds until the window ends.
    placements_left: int | None = None
    window_s: int = 1

    # For the handshake of a websocket.
    stream_account_id: UUID | None = None
    stream_since: int | None = None
    stream_symbols: Sequence[str] = ()
    stream_is_compressed: bool = False

    def __init__(self, request_id: str, began_at: float, environ: WSGIEnvironment) -> None:
        self.request_id = request_id
        self.began_at = began_at  # of time.perf_counter()
        self.environ = environ


# Not in Flask's g, which takes ten times as long to find; a request asks for its facts a dozen times.
_facts: ContextVar[RequestFacts] = ContextVar("request_facts")


def begin_request(request_id: str, began_at: float, environ: WSGIEnvironment) -> None:
    """Create the facts about the current request."""
    _facts.set(RequestFacts(request_id, began_at, environ))


def request_facts() -> RequestFacts:
    """Return the facts about the current request."""
    return _facts.get()
