"""The count and the log line of each placement, accepted or refused."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from flask import request

from runtime import metrics
from runtime.logs import get_logger
from runtime.order_log import TERMS, log_order, terms_of
from runtime.timing import Stopwatch
from trading.rules.decision import OrderRequest

logger = get_logger(__name__)

# A client chooses the names of unknown fields and the path: neither may fill the log.
FIELD = re.compile(r"[A-Za-z0-9_.]{1,40}")
MAX_FIELDS = 5
PATH_LENGTH = 100
PRICES = ("price", "trigger_price")


class Measured(NamedTuple):
    """The HTTP status of a placement, the time for all of it, and its steps."""

    status: int
    took_ms: float
    watch: Stopwatch

    def as_facts(self) -> dict[str, Any]:
        """Record the steps, and return the facts of a log line."""
        metrics.placement_steps.note(self.watch.steps)
        return {"status": self.status, "took_ms": self.took_ms, "steps": self.watch.steps}


class Refusal(NamedTuple):
    """A refused placement: its code, the names of its invalid fields, and the order that was wanted if it was read."""

    code: str | None
    fields: Sequence[str]
    account_id: Any
    wanted: OrderRequest | None


def log_accepted(order: Mapping[str, Any], measured: Measured, *, is_replay: bool) -> None:
    """Write the line of an accepted placement."""
    log_order(logger, "placement_replayed" if is_replay else "placement", order, code=None, **measured.as_facts())


def log_refused(refusal: Refusal, measured: Measured) -> None:
    """Count a refused placement, and write its line."""
    metrics.of(metrics.PLACEMENTS, refusal.code or "unknown").inc()
    logger.info(
        "placement_refused",
        code=refusal.code,
        fields=_readable(refusal.fields),
        account_id=refusal.account_id and str(refusal.account_id),
        order_id=None,
        **_about(refusal.wanted),
        **measured.as_facts(),
    )


def _about(wanted: OrderRequest | None) -> dict[str, Any]:
    if wanted is None:
        return {"path": quote(request.path[:PATH_LENGTH])}
    return terms_of({name: getattr(wanted, name) for name in (*TERMS, *PRICES)})


def _readable(fields: Sequence[str]) -> str | None:
    """Return the first names, or None; a name that no field of the API can have is left out."""
    names = [name if FIELD.fullmatch(name) else "?" for name in itertools.islice(fields, MAX_FIELDS)]
    more = [f"and {len(fields) - MAX_FIELDS} more"] if len(fields) > MAX_FIELDS else []
    return ", ".join([*names, *more]) or None
