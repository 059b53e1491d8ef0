"""Show on a terminal how far a long step is; programs, files and pipes see nothing of it."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeVar

import click

FIRST_WORD_S = 2.0
PAUSE_S = 1.0
ERASE = "\r\033[K"
ITEMS_PER_STEP = 500
# Less than this is done at once.
MIN_BYTES, MIN_PIECES = 65_536, 1_000

Item = TypeVar("Item")


class ReadFile(Protocol):
    """A file that knows how much of it was read."""

    size: int

    @property
    def position(self) -> int:
        """The number of bytes that were read."""


def is_watched() -> bool:
    """Return True if a person sees the standard error."""
    return sys.stderr.isatty()


@contextlib.contextmanager
def patience(step: str) -> Iterator[None]:
    """Tell the time that a step takes, from two seconds on."""
    if not is_watched():
        yield
        return
    is_done = threading.Event()
    teller = threading.Thread(target=_tell, args=(step, is_done), daemon=True)
    teller.start()
    try:
        yield
    finally:
        is_done.set()
        teller.join()


@contextlib.contextmanager
def reading(file: ReadFile, items: Iterable[Item], label: str = "reading") -> Iterator[Iterator[Item]]:
    """Give the items that come from a file, and show how much of the file was read."""
    is_hidden = not is_watched() or file.size < MIN_BYTES
    with click.progressbar(length=file.size, label=label, file=sys.stderr, hidden=is_hidden) as bar:
        yield _passed_on(file, items, bar)
        bar.update(file.size - bar.pos)


def _passed_on(file: ReadFile, items: Iterable[Item], bar: Any) -> Iterator[Item]:
    for number, item in enumerate(items, 1):
        if number % ITEMS_PER_STEP == 0:
            bar.update(file.position - bar.pos)
        yield item


class Counter(Protocol):
    """A progress bar."""

    def update(self, n_steps: int) -> None:
        """Move forward by a number of pieces."""


@contextlib.contextmanager
def counting(length: int, label: str) -> Iterator[Counter]:
    """Show how many of so many pieces are done; the caller tells by `update`."""
    with click.progressbar(
        length=length, label=label, file=sys.stderr, hidden=not is_watched() or length < MIN_PIECES
    ) as bar:
        yield bar


def _tell(step: str, is_done: threading.Event) -> None:
    began = time.monotonic()
    if is_done.wait(FIRST_WORD_S):
        return
    while True:
        click.echo(f"{ERASE}{step} … {time.monotonic() - began:.0f} s", err=True, nl=False)
        if is_done.wait(PAUSE_S):
            break
    click.echo(ERASE, err=True, nl=False)
