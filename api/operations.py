"""The figures and the buttons of the operator's page: sweeps, checks of the ledger, dead letters."""

import socket
from typing import Any
from uuid import UUID

from flask import Response, current_app

from actors import dead_letters, ledger_checks, presence
from config.version import VERSION
from runtime import redis_link
from schemas.operation_counts import CheckStateSchema, HistorySchema
from schemas.operations import OperationsSchema, SweepSchema
from trading.day.jobs import JobRun
from trading.rules.errors import NothingThere
from trading.upkeep.operations import read_operations
from trading.upkeep.operations_history import read_minutes

from .cron import sweep
from .http.audit import audit
from .http.authentication import requires
from .http.errors import HttpRefusal
from .http.parsing import Blueprint, takes_no_query
from .http.responses import no_content, respond
from .operation_counts import read_counts

blueprint = Blueprint("operations", __name__, url_prefix="/api/admin", description="Figures for operators")
OPERATIONS, HISTORY, SWEEP, CHECK = OperationsSchema(), HistorySchema(), SweepSchema(), CheckStateSchema()
# One answer to a press of a button; the next press goes on.
MAX_SWEPT = 100


@blueprint.get("/operations")
@requires("admin")
@takes_no_query
@blueprint.response(200, OPERATIONS)
def read() -> Response:
    """Read backlog, rates, latencies, refusals, daily work, ledger check, listeners, pools, queues and workers.

    The figures of the database are those of the whole service. `counts`, `listeners` and `pools` are those of the
    processes of `machine`. The operator's page, `/ops`, shows them.
    """
    found, counted = read_operations(), read_counts(current_app.extensions["counts"])
    resting = found["resting"]
    row = found | {
        **counted,
        "version": VERSION,
        "machine": socket.gethostname(),
        "job_runs": [_job_run(run) for run in found["job_runs"]],
        "resting": {
            **resting,
            "expiry_behind_ms": round(1000 * resting["expiry_behind_s"]),
            "late_matches": counted["late_matches"],
        },
    }
    broker = redis_link.ask(_broker)
    return respond(OPERATIONS, row if broker is None else row | {"broker": broker})


@blueprint.get("/operations/history")
@requires("admin")
@takes_no_query
@blueprint.response(200, HISTORY)
def read_history() -> Response:
    """Read the orders placed and executed in each minute of the last hour.

    They are counted from the newest 50,000 orders: minutes before the oldest of these are left out.
    """
    return respond(HISTORY, {"minutes": read_minutes()})


@blueprint.post("/sweep")
@requires("admin")
@takes_no_query
@blueprint.response(200, SWEEP)
def sweep_now() -> Response:
    """Do the due work now, as the cron endpoint does: the daily work, and up to 100 orders of each kind.

    It needs no worker and no Redis. Workers do the same work every moment, so it is only needed when they do not run.
    """
    audit("sweep", {"limit": MAX_SWEPT})
    return respond(SWEEP, sweep(MAX_SWEPT, by="admin"))


@blueprint.post("/ledger-check")
@requires("admin")
@takes_no_query
@blueprint.response(202, CHECK)
def check_ledger() -> Response:
    """Have a worker check the ledger of all accounts, which may take minutes; `ledgerCheck` then has the result.

    The check proves from the tables alone that all books are right, while orders go on.
    """
    audit("ledger.check", {})
    state = redis_link.ask(ledger_checks.ask_for_check)
    if state is None:
        detail = "No worker can be asked, because Redis cannot be reached; `tradepost ledger verify` needs none."
        raise HttpRefusal("service_unavailable", detail, headers={"Retry-After": "1"})
    return respond(CHECK, state, 202)


@blueprint.post("/dead-letters/<opaque_uuid:message_id>/requeue")
@requires("admin")
@takes_no_query
@blueprint.response(204)
def requeue(message_id: UUID) -> Response:
    """Send a dead letter again; executing an order a second time has no effect.

    A dead letter is a message that a worker has tried in vain. Sweeps execute its order too, so none is lost.
    """
    audit("dead_letter.requeue", {"message_id": message_id})
    was_sent = redis_link.ask(lambda: dead_letters.requeue(message_id))
    if was_sent is None:
        raise HttpRefusal("service_unavailable", "Redis cannot be reached; try again.", headers={"Retry-After": "1"})
    if not was_sent:
        raise NothingThere
    return no_content()


def _job_run(run: JobRun) -> dict[str, Any]:
    return {**run, "is_skipped": bool(run["detail"].get("skipped"))}


def _broker() -> dict[str, Any]:
    return {
        "queues": [depth._asdict() for depth in dead_letters.queue_depths()],
        "dead_letters": [letter._asdict() for letter in dead_letters.newest_dead_letters()],
        "workers": [worker._asdict() for worker in presence.present_workers()],
        "ledger_check": ledger_checks.unfinished_check(),
    }
