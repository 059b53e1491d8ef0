"""A call of the API as data: both clients carry the same calls out, one with threads and one with asyncio."""

import json
import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote, urlencode

from .failures import Problem, UnexpectedAnswer
from .json_shapes import read_as, written

T = TypeVar("T")
AccountPlace = Literal["query", "body"]


@dataclass(frozen=True)
class Request:
    """A request as it goes over the wire."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes | None
    wait_s: float


@dataclass(frozen=True)
class Answer:
    """A whole answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class Lost:
    """No answer, or a broken one; a request that was not sent cannot have been carried out."""

    error: Exception
    was_sent: bool


@dataclass(frozen=True)
class Pause:
    """A time to wait."""

    seconds: float


# A flow yields what to do next, is sent an Answer or Lost for a Request and None for a Pause, and returns its result.
Flow = Generator[Request | Pause, Any, T]


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request and the reader of its answer.

    `is_repeatable` says that sending the request twice does no more than sending it once. `recover` gets the problem of
    a request that was sent again because its answer was lost; it returns the call whose result stands for the
    lost one, or None.
    """

    method: str
    path: str
    read: Callable[[Answer], T]
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    account_in: AccountPlace | None = None
    is_repeatable: bool = True
    wait_s: float = 0.0
    recover: Callable[[Problem], "Call[T] | None"] | None = None

    @property
    def idempotency_key(self) -> str | None:
        """The key under which the request is carried out once."""
        return self.headers.get("Idempotency-Key")

    def for_account(self, account_id: str | None) -> "Call[T]":
        """Return the call in the name of an account, which only an admin token needs to say."""
        if account_id is None or self.account_in is None:
            return self
        named = {"trading_account_id": account_id}
        if self.account_in == "query":
            return replace(self, query=named | dict(self.query))
        return replace(self, body=named | dict(self.body or {}))

    def request(self) -> Request:
        """Return the request."""
        given = written(self.query)
        flags = {name: str(value).lower() for name, value in given.items() if isinstance(value, bool)}
        query = urlencode(given | flags, doseq=True)
        content = None if self.body is None else json.dumps(written(self.body), separators=(",", ":")).encode()
        headers = dict(self.headers) if content is None else {"Content-Type": "application/json", **self.headers}
        return Request(self.method, f"{self.path}?{query}" if query else self.path, headers, content, self.wait_s)


@dataclass(frozen=True)
class Page(Generic[T]):
    """A page of a list."""

    data: tuple[T, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class Listing(Generic[T]):
    """The pages of a list."""

    first: Call[Page[T]]

    def after(self, page: Page[T]) -> Call[Page[T]] | None:
        """Return the call of the next page, or None after the last one."""
        if page.next_cursor is None:
            return None
        return replace(self.first, query={**self.first.query, "cursor": page.next_cursor})


def path(template: str, *parts: str) -> str:
    """Return a path with its parts escaped."""
    return template.format(*(quote(part, safe="") for part in parts))


def document_of(answer: Answer) -> Any:
    """Return an answer's JSON."""
    return json.loads(answer.content)


def one(shape: type[T]) -> Callable[[Answer], T]:
    """Return the reader of an answer with one object."""
    return lambda answer: read_as(shape, document_of(answer))


def some(shape: type[T], member: str = "data") -> Callable[[Answer], tuple[T, ...]]:
    """Return the reader of an answer with a whole list."""
    return lambda answer: tuple(read_as(shape, item) for item in document_of(answer)[member])


def nothing(_: Answer) -> None:
    """Read an answer without content."""


def listing(
    shape: type[T], address: str, query: Mapping[str, Any], *, account_in: AccountPlace | None = "query"
) -> Listing[T]:
    """Return the pages of a list."""

    def read(answer: Answer) -> Page[T]:
        document = document_of(answer)
        return Page(tuple(read_as(shape, item) for item in document["data"]), document["nextCursor"])

    return Listing(Call("GET", address, read, query=query, account_in=account_in))


def once(idempotency_key: str | None, wait_s: int | None = None) -> dict[str, str]:
    """Return the headers of a request that is carried out once, however often it is sent."""
    prefer = {} if wait_s is None else {"Prefer": f"wait={wait_s}"}
    return {"Idempotency-Key": idempotency_key or str(uuid.uuid4()), **prefer}


def understood(call: Call[T], answer: Answer) -> T:
    """Return the result of a successful answer, or raise UnexpectedAnswer."""
    try:
        return call.read(answer)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise UnexpectedAnswer(f"{call.method} {call.path}: the answer cannot be read: {error!r}") from error
