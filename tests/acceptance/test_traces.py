"""One trace leads from a client's request through the message to the fill."""

import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.conftest import CRON_SECRET
from tests.support.kite import VERSION, kite_headers
from tests.support.processes import ProcessStarter, wait_until

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"


class Collector:
    """The spans received by OTLP over HTTP, each with the service that sent it."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                collector.take(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings of a process that sends its spans here soon."""
        url = f"http://127.0.0.1:{self.server.server_address[1]}"
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    def take(self, body: bytes) -> None:
        for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
            (service,) = [a.value.string_value for a in resource_spans.resource.attributes if a.key == "service.name"]
            for scope in resource_spans.scope_spans:
                self.spans += [(service, span) for span in scope.spans]

    def named(self, name: str, trace_id: str = "") -> list[Span]:
        """Return the spans with a name, of one trace or of any."""
        return [span for _, span in self.spans if span.name == name and span.trace_id.hex().startswith(trace_id)]

    def wait_for(self, name: str, trace_id: str = "") -> Span:
        """Wait for a span and return it."""
        found = wait_until(lambda: self.named(name, trace_id), timeout_s=30, what=f"a span {name}")
        return found[0]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Collect spans."""
    collector = Collector()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


def attributes(span: Span) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


def test_one_trace_leads_from_the_request_to_the_fill(
    start: ProcessStarter, trader_of: Any, collector: Collector
) -> None:
    late = {"OTEL_BSP_SCHEDULE_DELAY": "60000"}  # what has not been sent yet is sent when the process ends
    no_sweep = {"ORDER_WORKER_INTERVAL_MS": "60000"}  # that could be faster than the message
    web, worker = start.web(**collector.settings), start.worker(**collector.settings | late | no_sweep)
    trader = trader_of(web)
    trader.http.headers["traceparent"] = f"00-{TRACE_ID}-{CALLER}-01"
    answer = trader.place()
    order_id = answer.json()["orderId"]
    trader.wait_for(order_id)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    fill = collector.wait_for("fill", TRACE_ID)
    assert attributes(fill)["tradepost.order_id"] == order_id
    server = collector.wait_for("POST /api/trading/orders", TRACE_ID)
    assert (server.parent_span_id.hex(), server.kind) == (CALLER, Span.SPAN_KIND_SERVER)
    assert attributes(server)["http.response.status_code"] == 202
    assert attributes(server)["tradepost.request_id"] == answer.headers["X-Request-Id"]
    chain = [fill]
    for name in ("execute_batch", "execute_order", "dispatch", "POST /api/trading/orders"):
        chain.append(collector.wait_for(name, TRACE_ID))
        assert chain[-2].parent_span_id == chain[-1].span_id, (chain[-2].name, name)
    assert chain[2].kind == Span.SPAN_KIND_CONSUMER
    assert collector.wait_for("place_order", TRACE_ID).parent_span_id == server.span_id
    assert {service for service, span in collector.spans} == {"tradepost-web", "tradepost-worker"}
    _a_refusal_is_no_failure(trader, collector)
    _no_span_shows_a_token(web.base_url, trader.http.headers["Authorization"].removeprefix("Bearer "), collector)


def _no_span_shows_a_token(base_url: str, token: str, collector: Collector) -> None:
    """The clients of Kite send their tokens in addresses and in forms."""
    given = {"api_key": "any", "access_token": token, "request_token": token}
    for secret in (token, f"{token}A"):
        requests.get(f"{base_url}/user/profile", params=given, headers=kite_headers(secret), timeout=10)
        requests.post(f"{base_url}/session/token", data=given, params=given, headers=VERSION, timeout=10)
    assert attributes(collector.wait_for("GET /kite/user/profile"))["http.route"] == "/kite/user/profile"
    collector.wait_for("POST /kite/session/token")
    assert token not in str(collector.spans)


def _a_refusal_is_no_failure(trader: Any, collector: Collector) -> None:
    trader.http.headers["traceparent"] = f"00-{TRACE_ID[::-1]}-{CALLER}-01"
    assert trader.place(quantity=100_000, price="9999999.00").status_code == 422
    refused = collector.wait_for("place_order", TRACE_ID[::-1])
    assert attributes(refused)["error.type"] == "InsufficientMargin"
    assert refused.status.code != Status.STATUS_CODE_ERROR


def test_orders_executed_together_stand_each_in_its_own_trace(
    start: ProcessStarter, trader_of: Any, collector: Collector
) -> None:
    trader = trader_of(start.web(**collector.settings))
    traces = [f"{number:032x}" for number in (1, 2, 3)]
    for trace_id in traces:
        trader.http.headers["traceparent"] = f"00-{trace_id}-{CALLER}-01"
        assert trader.place(quantity=1).status_code == 202
    del trader.http.headers["traceparent"]
    headers = {"Authorization": f"Bearer {CRON_SECRET}"}
    report = trader.http.get(f"{trader.base_url}/api/cron/order-worker", headers=headers, timeout=10).json()
    assert report["executed"] == 3
    batch = collector.wait_for("execute_batch")
    assert {link.trace_id.hex() for link in batch.links} == set(traces)
    for trace_id in traces:
        fill = collector.wait_for("fill", trace_id)
        assert fill.parent_span_id == collector.wait_for("place_order", trace_id).span_id
        assert [link.span_id for link in fill.links] == [batch.span_id]


def test_without_opentelemetry_nothing_is_missed(
    start: ProcessStarter, trader_of: Any, collector: Collector, tmp_path: Any
) -> None:
    (tmp_path / "opentelemetry.py").write_text("raise ImportError('not installed', name='opentelemetry')")
    web = start.web(**collector.settings, PYTHONPATH=str(tmp_path), ORDER_DISPATCH="inline")
    trader = trader_of(web)
    trader.wait_for(trader.place().json()["orderId"])
    assert "traces_left_out" in web.log
    assert collector.spans == []
