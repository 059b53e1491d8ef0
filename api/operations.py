"""The figures of the operator's page, and the requeueing of dead letters."""

from typing import Any
from uuid import UUID

from flask import Response, current_app

from actors import dead_letters, presence
from runtime import metrics, redis_link
from runtime.metrics_export import total_of
from schemas.operations import OperationsSchema
from trading.rules.errors import NotFound
from trading.upkeep.operations import read_operations
from trading.upkeep.resting_orders import RestingOrders

from .http.audit import audit
from .http.authentication import requires
from .http.errors import HttpRefusal
from .http.parsing import Blueprint, takes_no_query
from .http.responses import respond

blueprint = Blueprint("operations", __name__, url_prefix="/api/admin", description="Figures for operators")
OPERATIONS = OperationsSchema()


@blueprint.get("/operations")
@requires("admin")
@takes_no_query
@blueprint.response(200, OPERATIONS)
def read() -> Response:
    """Read the backlog, resting orders, latency, throughput, last ledger check, queues, dead letters and workers."""
    found = read_operations()
    row = found | {"resting": _resting(found["resting"])}
    broker = redis_link.ask(_broker)
    return respond(OPERATIONS, row if broker is None else row | {"broker": broker})


@blueprint.post("/dead-letters/<opaque_uuid:message_id>/requeue")
@requires("admin")
@takes_no_query
@blueprint.response(204)
def requeue(message_id: UUID) -> Response:
    """Send a dead letter again; executing an order a second time has no effect."""
    audit("dead_letter.requeue", {"message_id": message_id})
    was_sent = redis_link.ask(lambda: dead_letters.requeue(message_id))
    if was_sent is None:
        raise HttpRefusal("service_unavailable", "Redis cannot be reached; try again.", headers={"Retry-After": "1"})
    if not was_sent:
        raise NotFound
    return Response(status=204)


def _resting(found: RestingOrders) -> dict[str, Any]:
    return {
        **found,
        "expiry_behind_ms": round(1000 * found["expiry_behind_s"]),
        "late_matches": int(total_of(current_app.extensions["counts"], metrics.LATE_MATCHES)),
    }


def _broker() -> dict[str, Any]:
    return {
        "queues": [depth._asdict() for depth in dead_letters.queue_depths()],
        "dead_letters": [letter._asdict() for letter in dead_letters.newest_dead_letters()],
        "workers": [worker._asdict() for worker in presence.present_workers()],
    }
