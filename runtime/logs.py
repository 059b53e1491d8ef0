"""Structured logs, as text for people or JSON for machines, with one set-up for every process."""

import functools
import logging
import re
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog

from runtime import order_lines


def _with_level_and_time(_: Any, level: str, facts: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the level and the time, as two processors of structlog do, in a fourth of their time."""
    facts["level"] = level
    facts["timestamp"] = datetime.now(UTC).isoformat()[:-6] + "Z"
    return facts


SHARED: list[Any] = [structlog.contextvars.merge_contextvars, _with_level_and_time]


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

    def msg(self, line: str) -> None:
        """Write a line of this product."""
        self.write(line + "\n")


class Logger:
    """A logger whose methods take an event name and facts as keyword arguments.

    It runs structlog's processors by itself: structlog's layers around them take a third of a placement's line.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, **facts: Any) -> None:
        """Write a line that only a log at DEBUG has."""
        self._write("debug", event, facts)

    def info(self, event: str, **facts: Any) -> None:
        """Write a line."""
        self._write("info", event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Write a line about something that is wrong."""
        self._write("warning", event, facts)

    def error(self, event: str, **facts: Any) -> None:
        """Write a line about a failure."""
        self._write("error", event, facts)

    def exception(self, event: str, **facts: Any) -> None:
        """Write a line about a failure, with the traceback of the exception that is being handled."""
        self._write("error", event, {"exc_info": True, **facts})

    def _write(self, level: str, event: str, facts: dict[str, Any]) -> None:
        configuration, line = structlog.get_config(), {"module": self._name, **facts, "event": event}
        try:
            for process in configuration["processors"]:
                line = process(None, level, line)
        except structlog.DropEvent:
            return
        configuration["logger_factory"]().msg(line)


_lost_lines = 0


def take_lost_lines() -> int:
    """Return the number of lines lost since the last call."""
    global _lost_lines
    lost, _lost_lines = _lost_lines, 0
    return lost


def configure(level: str, output_format: str, stream: TextIO | None = None, *, has_time: bool = True) -> None:
    """Send the log lines of this product and of its libraries to one stream (standard error) in one format.

    Without has_time, lines of text carry no time: what reads the stream adds its own. Lines about orders carry their
    timings by step in JSON, and at DEBUG. Own lines go to the stream directly: the way through the standard library
    costs a placement 0.1 ms.
    """
    forgiving: Any = Forgiving(stream or sys.stderr)
    renderers = _renderers(output_format, is_detailed=level == "DEBUG", has_time=has_time)
    structlog.configure(processors=[_from(level), *SHARED, *renderers], logger_factory=lambda: forgiving)
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


def _from(least: str) -> Any:
    """Return a processor that drops the lines below a level."""
    values = logging.getLevelNamesMapping()
    dropped = {name.lower() for name, value in values.items() if value < values[least]}

    def check(_: Any, level: str, facts: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if level in dropped:
            raise structlog.DropEvent
        return facts

    return check


def _renderers(output_format: str, *, is_detailed: bool, has_time: bool) -> list[Any]:
    if output_format == "json":
        return [_with_traceback, _with_timings, structlog.processors.JSONRenderer()]
    return [_with_traceback, functools.partial(_as_text, is_detailed, has_time)]


def _timings(facts: MutableMapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in _with_timings(None, "", facts).items() if name.endswith("_ms")}


def _with_timings(_: Any, __: str, facts: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the steps of a line by a fact for each step, in milliseconds."""
    if "took_ms" in facts:
        facts["took_ms"] = round(facts["took_ms"], 3)
        facts.update({f"{name}_ms": round(length, 3) for name, length in facts.pop("steps").items()})
    return facts


def _with_traceback(logger: Any, level: str, facts: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Write the exception of a line as its traceback, without the row that PostgreSQL quotes: it has a client's values.

    The traceback is plain: structlog's pretty ones show local variables, and so tokens.
    """
    if "exc_info" in facts:
        facts = structlog.processors.format_exc_info(logger, level, facts)
    if "exception" in facts:
        facts["exception"] = re.sub(r"^DETAIL: .*$", "DETAIL: left out", facts["exception"], flags=re.MULTILINE)
    return facts


def _as_text(is_detailed: bool, has_time: bool, _: Any, __: str, facts: MutableMapping[str, Any]) -> str:
    """Return one line with time, level (but for info) and event, then the traceback if there is one.

    An event about an order has a line of its own, and its timings only if the log is detailed. Any other event has its
    facts as key=value.
    """
    exception, time, level = facts.pop("exception", None), facts.pop("timestamp"), facts.pop("level")
    event = facts.pop("event")
    line = (f"{time} " if has_time else "") + ("" if level == "info" else f"{level} ")
    if order_lines.is_about_order(event):
        line += order_lines.line_of(event, facts)
        facts = _timings(facts) if is_detailed else {}
    else:
        line += event
    for key, value in facts.items():
        line += f" {key}={_quoted(value)}"
    return line + (f"\n{exception}" if exception else "")


def _quoted(value: Any) -> str:
    text = str(value)
    return repr(text) if not text or " " in text or not text.isprintable() else text


def get_logger(name: str) -> Logger:
    """Return the logger of a module."""
    return Logger(name)
