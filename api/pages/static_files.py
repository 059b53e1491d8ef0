"""The static files of the pages: read and compressed once per file and process, and the version of all of them."""

import functools
import gzip
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from werkzeug.security import safe_join

STATIC_FOLDER = Path(__file__).resolve().parent / "static"
# Fixed here, because the machine's own table may have any type for `.js`.
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# A page's stylesheets are sent as one: "base.css+desk/desk.css".
MAX_JOINED = 8

# Path, time of the last change in nanoseconds, and size: what changes when a file does.
Stamp = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Content:
    """A body as it is and compressed, with the ETag of the first."""

    body: bytes
    packed: bytes
    etag: str


def pack(body: bytes) -> Content:
    """Return a body with its compressed form; without a time, so that all processes send the same bytes."""
    return Content(body, gzip.compress(body, 9, mtime=0), hashlib.sha256(body).hexdigest()[:24])


def read_static(name: str) -> Content | None:
    """Return a file below the static folder that a browser may have, or None; "a.css+b.css" are both as one."""
    if "+" in name:
        return _joined(tuple(name.split("+")[:MAX_JOINED]))
    path = None if "\0" in name or Path(name).suffix not in CONTENT_TYPES else safe_join(str(STATIC_FOLDER), name)
    if path is None or not os.path.isfile(path):
        return None
    return _read(_stamp(path))


def static_version() -> str:
    """Return the version of the static files: it changes when one of them does, and is the same on all machines."""
    return _version(tuple(_stamps()))


@functools.lru_cache(maxsize=256)
def _read(stamp: Stamp) -> Content:
    return pack(Path(stamp[0]).read_bytes())


def _joined(names: tuple[str, ...]) -> Content | None:
    parts = [read_static(name) for name in names]
    return None if None in parts else _join(tuple(part.body for part in parts if part))


@functools.lru_cache(maxsize=8)
def _join(bodies: tuple[bytes, ...]) -> Content:
    return pack(b"\n".join(bodies))


@functools.lru_cache(maxsize=1)
def _version(stamps: tuple[Stamp, ...]) -> str:
    digest = hashlib.sha256()
    for stamp in stamps:
        digest.update(f"{Path(stamp[0]).relative_to(STATIC_FOLDER)}\0{_read(stamp).etag}\n".encode())
    return digest.hexdigest()[:12]


def _stamp(path: str) -> Stamp:
    facts = os.stat(path)
    return path, facts.st_mtime_ns, facts.st_size


def _stamps() -> Iterator[Stamp]:
    for folder, folders, names in os.walk(STATIC_FOLDER):
        folders.sort()
        for name in sorted(names):
            if Path(name).suffix in CONTENT_TYPES:
                yield _stamp(os.path.join(folder, name))
