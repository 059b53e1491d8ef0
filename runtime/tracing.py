"""Traces, if OpenTelemetry is installed and configured; otherwise every function here does nothing.

An order's trace travels with its message. Sweeping and coalescing execute orders without their messages, so each
order's place in its trace is also kept in Redis for an hour, best effort.
"""

import atexit
import contextlib
import functools
import importlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, ParamSpec, TypeVar
from uuid import UUID

from runtime import metrics, redis_link
from runtime.logs import get_logger

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Attributes = Mapping[str, str | int]

KEPT_S = 3600
FLUSH_S = 3.0

logger = get_logger(__name__)


class Kit(NamedTuple):
    """The parts of OpenTelemetry that are used."""

    api: Any
    provider: Any
    tracer: Any
    propagator: Any


_kit: Kit | None = None


def configure(service_name: str, *, wanted: bool) -> None:
    """Turn traces on in this process if they are wanted; OpenTelemetry's own variables say the rest."""
    global _kit
    if not wanted or _kit is not None:
        return
    os.environ.setdefault("OTEL_SERVICE_NAME", service_name)
    try:
        _kit = _assemble()
    except ImportError as error:
        logger.warning("traces_left_out", missing=error.name, remedy="pip install -r requirements-tracing.txt")


def _assemble() -> Kit:
    api, sdk, export, otlp, propagation = (
        importlib.import_module(f"opentelemetry.{name}")
        for name in (
            "trace",
            "sdk.trace",
            "sdk.trace.export",
            "exporter.otlp.proto.http.trace_exporter",
            "trace.propagation.tracecontext",
        )
    )
    provider = sdk.TracerProvider(shutdown_on_exit=False)  # its own hook waits 30 s for a silent collector
    atexit.register(flush)
    exporter = _counting(otlp.OTLPSpanExporter, export.SpanExportResult.SUCCESS)
    provider.add_span_processor(export.BatchSpanProcessor(exporter()))
    return Kit(api, provider, provider.get_tracer("tradepost"), propagation.TraceContextTextMapPropagator())


def _counting(exporter: Any, success: Any) -> Any:
    """Return the exporter's class with an export() that counts the spans which could not be sent."""

    def export(self: Any, spans: Sequence[Any]) -> Any:
        result = exporter.export(self, spans)
        if result is not success:
            metrics.of(metrics.LOST_SPANS, "otlp").inc(len(spans))
        return result

    return type("CountingExporter", (exporter,), {"export": export})


def flush() -> None:
    """Send the remaining spans within FLUSH_S: OpenTelemetry (1.45, its issue 4568) ignores its own time-out."""
    if _kit is None:
        return
    sending = threading.Thread(target=_kit.provider.force_flush, daemon=True)
    with contextlib.suppress(RuntimeError):  # Python 3.12 starts no thread in an atexit hook
        sending.start()
        sending.join(FLUSH_S)


def is_on() -> bool:
    """Return True if this process traces."""
    return _kit is not None


@contextlib.contextmanager
def span(
    name: str,
    kind: str = "INTERNAL",
    *,
    parent: str | None = None,
    links: Sequence[Any] = (),
    attributes: Attributes | None = None,
) -> Iterator[Any]:
    """Trace the block as a child of a traceparent, or else of the current span.

    Only the type of an exception is recorded: its text may hold values of a client.
    """
    if _kit is None:
        yield None
        return
    with _kit.tracer.start_as_current_span(
        name,
        _kit.propagator.extract({"traceparent": parent}) if parent else None,
        _kit.api.SpanKind[kind],
        attributes,
        links,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            if not getattr(error, "is_refusal", False):
                current.set_status(_kit.api.StatusCode.ERROR)
            raise


def traced(name: str, kind: str = "INTERNAL") -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Trace every call of a function."""

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @functools.wraps(function)
        def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            if _kit is None:
                return function(*args, **kwargs)
            with span(name, kind):
                return function(*args, **kwargs)

        return run

    return decorate


def describe(name: str, attributes: Attributes, *, failed: bool) -> None:
    """Set the name and attributes of the current span, once they are known."""
    if _kit is not None:
        current = _kit.api.get_current_span()
        current.update_name(name)
        current.set_attributes(attributes)
        if failed:
            current.set_status(_kit.api.StatusCode.ERROR)


def carrier() -> dict[str, str]:
    """Return the options that let a message's work join the current trace: `traceparent`, or none."""
    found: dict[str, str] = {}
    if _kit is not None:
        _kit.propagator.inject(found)
        found.pop("tracestate", None)
    return found


def carried(function: Callable[[], Result]) -> Callable[[], Result]:
    """Return a function that joins the current trace when it is called later."""
    parent = carrier().get("traceparent")
    if parent is None:
        return function

    def run() -> Result:
        with span("after_answer", parent=parent):
            return function()

    return run


def remember(order_id: UUID) -> None:
    """Keep an order's place in the current trace for the process that executes the order."""
    if _kit is None:
        return
    parent = carrier().get("traceparent")
    if parent is not None and parent.endswith("01"):  # it is sampled
        redis_link.attempt(lambda: redis_link.client.set(_key(order_id), parent, ex=KEPT_S))


@contextlib.contextmanager
def batch(order_ids: Sequence[UUID]) -> Iterator[dict[UUID, str]]:
    """Trace the execution of orders, linked to the trace of each.

    The block stores the name of each order's end, fill or reject, which then appears in the order's own trace.
    """
    ends: dict[UUID, str] = {}
    if _kit is None:
        yield ends
        return
    began_ns, parents = time.time_ns(), _recall(order_ids)
    here = _kit.api.get_current_span().get_span_context()
    others = (_context_of(_kit, parent) for parent in dict.fromkeys(parents.values()))
    links = [_kit.api.Link(other) for other in others if other.trace_id != here.trace_id]
    with span("execute_batch", links=links, attributes={"tradepost.orders": len(order_ids)}) as current:
        yield ends
    for order_id, name in ends.items():
        _record_end(_kit, name, order_id, parents.get(order_id), current, began_ns)


def _record_end(kit: Kit, name: str, order_id: UUID, parent: str | None, around: Any, began_ns: int) -> None:
    """Record an order's end below the batch, or, in a trace of its own, with a link to the batch."""
    context = around.get_span_context()
    is_elsewhere = parent is not None and _context_of(kit, parent).trace_id != context.trace_id
    kit.tracer.start_span(
        name,
        kit.propagator.extract({"traceparent": parent}) if is_elsewhere else kit.api.set_span_in_context(around),
        links=[kit.api.Link(context)] if is_elsewhere else [],
        attributes={"tradepost.order_id": str(order_id)},
        start_time=began_ns,
    ).end()


def _context_of(kit: Kit, parent: str) -> Any:
    return kit.api.get_current_span(kit.propagator.extract({"traceparent": parent})).get_span_context()


def _recall(order_ids: Sequence[UUID]) -> dict[UUID, str]:
    found: Any = redis_link.ask(lambda: redis_link.client.mget([_key(order_id) for order_id in order_ids]))
    return {order_id: text.decode() for order_id, text in zip(order_ids, found or (), strict=False) if text is not None}


def _key(order_id: UUID) -> str:
    return redis_link.key(f"trace:{order_id}")
