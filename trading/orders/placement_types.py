"""The types that the modules of placement share."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from models.rows import OrderRow
from trading.accounts.idempotency import IdempotencyKey
from trading.rules.decision import OrderRequest


@dataclass(frozen=True, slots=True)
class PlacementContext:
    """The order that a client asks for, the account, the market calendar (None: always open) and the client's key."""

    account_id: UUID
    request: OrderRequest
    calendar: str | None = None
    idempotency_key: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True)
class PlacementState:
    """The facts on which a placement is decided; prices and margin in rupees.

    `held` is the position's signed quantity, `promised` the part of it that PENDING orders of the same side will close.
    `duplicate_of` is the order that has the same clientOrderId. `answer` is the order row that was answered to the
    idempotency key before; then only `answer` and `fingerprint` are set.
    """

    status: str
    available_margin: Decimal
    duplicate_of: UUID | None
    last_price: Decimal | None
    held: int
    promised: int
    read_at: datetime
    stock_id: UUID | None = None
    fingerprint: bytes | None = None
    answer: OrderRow | None = None


class Placement(NamedTuple):
    """An accepted order's row, and whether it is the answer to an earlier request with the same key."""

    order: OrderRow
    is_replay: bool
