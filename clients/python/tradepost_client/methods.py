"""Operations as methods: each client has them all, with the operations' own arguments, types and docstrings."""

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from .calls import Call, Listing

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")


class Caller(Protocol):
    """A client for threads."""

    def call(self, call: Call[T]) -> T:
        """Carry out a call."""

    def pages(self, listing: Listing[T]) -> Iterator[T]:
        """Yield the items of all pages."""


class AsyncCaller(Protocol):
    """A client for asyncio."""

    async def call(self, call: Call[T]) -> T:
        """Carry out a call."""

    def pages(self, listing: Listing[T]) -> AsyncIterator[T]:
        """Yield the items of all pages."""


class _Operation(Generic[P, R]):
    def __init__(self, build: Callable[P, R]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    def _then(self, carry_out: Callable[[R], S]) -> Callable[P, S]:
        @functools.wraps(self._build)
        def method(*args: P.args, **kwargs: P.kwargs) -> S:
            return carry_out(self._build(*args, **kwargs))

        return method


class Method(_Operation[P, Call[T]]):
    """An operation that a client for threads carries out."""

    @overload
    def __get__(self, caller: None, owner: type) -> Callable[P, Call[T]]: ...
    @overload
    def __get__(self, caller: Caller, owner: type) -> Callable[P, T]: ...

    def __get__(self, caller: Caller | None, owner: type) -> Callable[P, Call[T]] | Callable[P, T]:
        return self._build if caller is None else self._then(caller.call)


class Pages(_Operation[P, Listing[T]]):
    """A list over which a client for threads iterates."""

    @overload
    def __get__(self, caller: None, owner: type) -> Callable[P, Listing[T]]: ...
    @overload
    def __get__(self, caller: Caller, owner: type) -> Callable[P, Iterator[T]]: ...

    def __get__(self, caller: Caller | None, owner: type) -> Callable[P, Listing[T]] | Callable[P, Iterator[T]]:
        return self._build if caller is None else self._then(caller.pages)


class AsyncMethod(_Operation[P, Call[T]]):
    """An operation that a client for asyncio carries out."""

    @overload
    def __get__(self, caller: None, owner: type) -> Callable[P, Call[T]]: ...
    @overload
    def __get__(self, caller: AsyncCaller, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...

    def __get__(
        self, caller: AsyncCaller | None, owner: type
    ) -> Callable[P, Call[T]] | Callable[P, Coroutine[Any, Any, T]]:
        return self._build if caller is None else self._then(caller.call)


class AsyncPages(_Operation[P, Listing[T]]):
    """A list over which a client for asyncio iterates."""

    @overload
    def __get__(self, caller: None, owner: type) -> Callable[P, Listing[T]]: ...
    @overload
    def __get__(self, caller: AsyncCaller, owner: type) -> Callable[P, AsyncIterator[T]]: ...

    def __get__(
        self, caller: AsyncCaller | None, owner: type
    ) -> Callable[P, Listing[T]] | Callable[P, AsyncIterator[T]]:
        return self._build if caller is None else self._then(caller.pages)
