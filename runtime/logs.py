"""Structured logs, as text for people or JSON for machines, with one set-up for every process."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


class Forgiving:
    """A stream whose failed writes are counted: a full disk or a closed pipe fails no request."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write a line, or count it as lost."""
        global _lost_lines
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: it is closed
            _lost_lines += 1

    def flush(self) -> None:
        """Do nothing: write() flushes."""


_lost_lines = 0


def take_lost_lines() -> int:
    """Return the number of lines lost since the last call."""
    global _lost_lines
    lost, _lost_lines = _lost_lines, 0
    return lost


def configure(level: str, output_format: str, stream: TextIO | None = None) -> None:
    """Send the log lines of this product and of its libraries to one stream (standard error) in one format.

    Own lines go there directly: the way through the standard library costs a placement 0.1 ms.
    """
    forgiving: Any = Forgiving(stream or sys.stderr)
    renderers = _renderers(output_format)
    structlog.configure(
        processors=[*SHARED, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.WriteLoggerFactory(forgiving),
    )
    handler = logging.StreamHandler(forgiving)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*SHARED, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # At DEBUG peewee logs every statement with its values, which are request bodies and digests of tokens.
    logging.getLogger("peewee").setLevel(max(logging.INFO, logging.getLevelName(level)))


def _renderers(output_format: str) -> list[Any]:
    last = structlog.processors.JSONRenderer() if output_format == "json" else _as_text
    # format_exc_info writes plain tracebacks; structlog's pretty ones show local variables, and so tokens.
    return [structlog.processors.format_exc_info, _without_rows, last]


def _without_rows(_: Any, __: str, facts: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Remove from a traceback the row that PostgreSQL quotes, since it holds values of a client."""
    if "exception" in facts:
        facts["exception"] = re.sub(r"^DETAIL: .*$", "DETAIL: left out", facts["exception"], flags=re.MULTILINE)
    return facts


def _as_text(_: Any, __: str, facts: MutableMapping[str, Any]) -> str:
    """Return one line with time, level, event and the other facts as key=value, then the traceback if there is one."""
    exception = facts.pop("exception", None)
    head = f"{facts.pop('timestamp')} {facts.pop('level'):<8} {facts.pop('event')}"
    pairs = "".join(f" {key}={_quoted(value)}" for key, value in facts.items())
    return head + pairs + (f"\n{exception}" if exception else "")


def _quoted(value: Any) -> str:
    text = str(value)
    return repr(text) if not text or " " in text or not text.isprintable() else text


def get_logger(name: str) -> Any:
    """Return a logger whose methods take an event name and facts as keyword arguments."""
    return structlog.get_logger(module=name)
