"""Execute an order promptly: alone when there is nothing else to do, together with others under load.

Executions of one process take turns. While one batch commits, the orders behind it gather in the
database, and the next turn takes them all; the messages that announced them then find their orders
done. A batch is taken as sweeping takes one, so that a poison order is found out the same way.
"""

import threading
from uuid import UUID

from models.database import fetch_all, session
from trading.execution import execute_orders, is_known_final
from trading.sweeping import sweep_once

BATCH = 200
# Behind an execution that waits for a lock, an order is executed on its own after this long.
TURN_S = 0.5

_turn = threading.Lock()

OTHERS = """
SELECT id FROM trading_order WHERE status = 'PENDING' AND retry_at IS NULL AND id <> %s LIMIT 1
"""


def execute_promptly(order_id: UUID) -> None:
    """Execute an order, and what else is PENDING with it; what a sweep suspects is left to sweeping."""
    has_turn = _turn.acquire(timeout=TURN_S)
    try:
        if has_turn and not is_known_final(order_id) and _others_wait(order_id):
            sweep_once(limit=BATCH)
        execute_orders([order_id], unsuspected_only=True)
    finally:
        if has_turn:
            _turn.release()


def _others_wait(order_id: UUID) -> bool:
    with session():
        return bool(fetch_all(OTHERS, (order_id,)))
