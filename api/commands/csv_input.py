"""Read CSV files line by line, however large or broken they are.

A record is one line: no field of the files read here may hold a line break, and so a quotation mark that
nobody has closed spoils its own line and no other.
"""

import csv
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

from api.http.errors import invalid

GZIP_BEGINS = b"\x1f\x8b"
# Characters; what is longer is no line of a table, and is never held in memory as a whole.
MAX_LINE = 65_536
LINE_ENDS = ("\n", "\r")

Line = tuple[int, str]


class CsvFile:
    """An open file: the names in its header, and the lines below it with their numbers."""

    def __init__(self, binary: BinaryIO, text: TextIO) -> None:
        self._binary = binary
        self.size = os.fstat(binary.fileno()).st_size
        self.lines = _numbered(text)
        first = next(self.lines, None)
        if first is None:
            raise invalid({"file": ["Is empty."]})
        if "\x00" in first[1]:
            raise invalid({"file": ["Is no text in UTF-8: save it as CSV in UTF-8."]})
        self.header = cells_of(first[1])

    @property
    def position(self) -> int:
        """Return how many bytes have been read; 0 of a pipe."""
        return self._binary.tell() if self._binary.seekable() else 0

    def row(self, line: str) -> dict[str, str]:
        """Return the cells of a line by their names, without the blanks around them; refuse what is no row."""
        cells = cells_of(line)
        if len(cells) > len(self.header):
            raise invalid({"surplus": [f"Has {len(cells)} cells, and the header {len(self.header)}."]})
        return dict(zip(self.header, cells, strict=False))


@contextmanager
def open_csv(path: str) -> Iterator[CsvFile]:
    """Open a file of CSV in UTF-8, gzipped or not; bytes that are no UTF-8 spoil only the cell they are in."""
    with open(path, "rb") as binary:
        is_packed = binary.peek(2)[:2] == GZIP_BEGINS
        plain = gzip.GzipFile(fileobj=binary) if is_packed else binary
        with io.TextIOWrapper(plain, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            try:
                yield CsvFile(binary, text)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise invalid({"file": [f"Is gzip, and damaged ({error})."]}) from None


def cells_of(line: str) -> list[str]:
    """Return the cells of one line without the blanks around them; refuse what is not CSV."""
    if len(line) >= MAX_LINE:
        raise invalid({"text": [f"Is longer than {MAX_LINE} characters."]})
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True, skipinitialspace=True))]
    except csv.Error as error:
        raise invalid({"text": [f"Is not CSV ({error})."]}) from None


def _numbered(text: TextIO) -> Iterator[Line]:
    """Yield the lines that hold something; of one that is too long its beginning."""
    number = 0
    while line := text.readline(MAX_LINE):
        number += 1
        rest = line
        while len(rest) == MAX_LINE and not rest.endswith(LINE_ENDS):
            rest = text.readline(MAX_LINE)
        if line.strip():
            yield number, line
