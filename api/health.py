"""Health checks: whether the process runs, and whether its database, migrations and broker are ready."""

from typing import Any

from flask import Response, current_app
from peewee import ProgrammingError

from actors import presence
from models import migrate, server
from models.database import DatabaseUnavailable, db, session, sqlstate
from models.server import INSUFFICIENT_PRIVILEGE
from runtime import redis_link
from schemas.fields import format_timestamp
from schemas.health import LiveSchema, ReadySchema
from trading.market import calendars
from trading.upkeep.ledger_checks import last_check

from .http.description import RETRY_AFTER, described
from .http.parsing import Blueprint, takes_no_query
from .http.responses import respond

blueprint = Blueprint("health", __name__, url_prefix="/health", description="Health")

DAYS_OF_WARNING = 7
LIVE, READY = LiveSchema(), ReadySchema()


@blueprint.get("/live")
@takes_no_query
@blueprint.response(200, LIVE)
@described(security=[])
def live() -> Response:
    """Check that the process answers.

    Neither the database nor Redis is used, so a failure of theirs does not restart the process.
    """
    return respond(LIVE, {"status": "ok"})


@blueprint.get("/ready")
@takes_no_query
@blueprint.response(200, READY)
@blueprint.response(503, READY, headers=RETRY_AFTER)
@described(security=[])
def ready() -> Response:
    """Check whether the database, the migrations and the broker are ready.

    Without the broker the status is `degraded`: orders are still accepted and executed.
    """
    report: dict[str, Any] = {**_database_state(), "broker": _broker_state()}
    if warnings := [*report.get("warnings", ()), *_broker_warnings()]:
        report["warnings"] = warnings
    if (report["database"], report["migrations"]) != ("ok", "ok"):
        return respond(READY, {"status": "unavailable", **report}, 503, {"Retry-After": "1"})
    return respond(READY, {"status": "degraded" if report["broker"] == "unavailable" else "ok", **report})


def _database_state() -> dict[str, Any]:
    try:
        with session():
            if reason := server.unfit_reason():
                return _unfit(reason)
            if server.is_read_only():
                db.pool.renew()  # the URL may lead to another server by now
                return {"database": "read_only", "migrations": "unknown"}
            if not migrate.is_current():
                return {"database": "ok", "migrations": "pending"}
            return {"database": "ok", "migrations": "ok", **_warnings()}
    except DatabaseUnavailable:
        return {"database": "unavailable", "migrations": "unknown"}
    except ProgrammingError as error:
        if sqlstate(error) != INSUFFICIENT_PRIVILEGE:
            raise
        return _unfit("its role may not read the tables")


def _unfit(reason: str) -> dict[str, Any]:
    return {"database": "unfit", "migrations": "unknown", "warnings": [f"the database cannot be used: {reason}"]}


def _warnings() -> dict[str, list[str]]:
    """Warn of conditions that do not stop the service."""
    warnings = [*_ledger_warnings(), *_session_warnings()]
    return {"warnings": warnings} if warnings else {}


def _ledger_warnings() -> list[str]:
    """Warn if the last ledger check found violations."""
    last = last_check()
    if last is None or last["violations"] == 0:
        return []
    return [f"the ledger check of {format_timestamp(last['at'])} found {last['violations']} violations"]


def _session_warnings() -> list[str]:
    """Warn if the sessions of the calendar end within a week: a day without sessions is closed."""
    calendar = current_app.config["SETTINGS"].market_calendar
    days, left = calendars.days(calendar), calendars.days_left(calendar)
    if days is None or left is None or left >= DAYS_OF_WARNING:
        return []
    known = "no session is known" if days.last_day is None else f"the last known session is that of {days.last_day}"
    return [f"{calendar}: {known}: import the next holidays, and run `tradepost sessions make`"]


def _broker_state() -> str:
    settings = current_app.config["SETTINGS"]
    if settings.order_dispatch != "queue" and settings.redis_url is None:
        return "disabled"
    return "ok" if redis_link.attempt(redis_link.prove_writable) else "unavailable"


def _broker_warnings() -> list[str]:
    """Warn if workers of several databases share a namespace, and so take each other's messages."""
    count = redis_link.ask(presence.count_databases) or 0
    return [f"workers of {count} databases share one REDIS_NAMESPACE"] if count > 1 else []
