"""Read CSV files line by line, however large or damaged they are.

A record is one line, for no field of these files may hold a line break. A quotation mark that is not closed therefore
damages its own line only.
"""

import csv
import difflib
import gzip
import io
import os
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

from api.http.errors import invalid

GZIP_BEGINS = b"\x1f\x8b"
# Characters. A longer line belongs to no table, and is never held in memory as a whole.
MAX_LINE = 65_536
LINE_ENDS = ("\n", "\r")
LIKENESS = 0.75  # of a misspelt heading: difflib's SequenceMatcher.ratio

Line = tuple[int, str]


class CsvFile:
    """An open file: the names in its header, and the lines below the header with their numbers."""

    def __init__(self, binary: BinaryIO, text: TextIO) -> None:
        self._binary = binary
        self.size = os.fstat(binary.fileno()).st_size
        self.lines = _numbered(text)
        first = next(self.lines, None)
        if first is None:
            raise invalid({"file": ["Is empty."]})
        if "\x00" in first[1]:
            raise invalid({"file": ["Is not text in UTF-8: save the file as CSV in UTF-8."]})
        self.header = cells_of(first[1])
        self._left_out: frozenset[str] = frozenset()

    @property
    def position(self) -> int:
        """The number of bytes that were read; 0 for a pipe."""
        return self._binary.tell() if self._binary.seekable() else 0

    def row(self, line: str) -> dict[str, str]:
        """Return a line's stripped cells by the names in the header; raise HttpRefusal if there are more than names."""
        cells = cells_of(line)
        if len(cells) > len(self.header):
            raise invalid({"surplus": [f"Has {len(cells)} cells, but the header has {len(self.header)}."]})
        row = dict(zip(self.header, cells, strict=False))
        return {name: cell for name, cell in row.items() if name not in self._left_out} if self._left_out else row

    def take_only(self, columns: Collection[str]) -> list[str]:
        """Leave the other columns out of the rows and return their names; raise HttpRefusal for a misspelt one."""
        others = [name for name in self.header if name not in columns]
        known = {name.casefold(): name for name in columns if name not in self.header}
        for name in others:
            near = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=LIKENESS)
            if near:
                raise invalid({f"line 1, {name}": [f"Is unknown. Did you mean {known[near[0]]}?"]})
        self._left_out = frozenset(others)
        return [name for name in others if name]


@contextmanager
def open_csv(path: str) -> Iterator[CsvFile]:
    """Open a CSV file in UTF-8, gzipped or not; bytes that are not UTF-8 damage only their own cell."""
    with open(path, "rb") as binary:
        is_packed = binary.peek(2)[:2] == GZIP_BEGINS
        plain = gzip.GzipFile(fileobj=binary) if is_packed else binary
        with io.TextIOWrapper(plain, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            try:
                yield CsvFile(binary, text)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise invalid({"file": [f"Is a damaged gzip file ({error})."]}) from None


def cells_of(line: str) -> list[str]:
    """Return the stripped cells of one line; raise HttpRefusal if the line is too long or not CSV."""
    if len(line) >= MAX_LINE:
        raise invalid({"text": [f"Is longer than {MAX_LINE} characters."]})
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True, skipinitialspace=True))]
    except csv.Error as error:
        raise invalid({"text": [f"Is not CSV ({error})."]}) from None


def _numbered(text: TextIO) -> Iterator[Line]:
    """Yield the lines that are not blank, with their numbers; of a line that is too long only its start."""
    number = 0
    while line := text.readline(MAX_LINE):
        number += 1
        rest = line
        while len(rest) == MAX_LINE and not rest.endswith(LINE_ENDS):
            rest = text.readline(MAX_LINE)
        if line.strip():
            yield number, line
