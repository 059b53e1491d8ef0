"""The types that the modules of placement share."""

from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from models.rows import OrderRow
from trading.accounts.idempotency import IdempotencyKey
from trading.rules.decision import OrderRequest
from trading.rules.money import ZERO
from trading.rules.order_checks import StockFacts
from trading.rules.order_sessions import OrderSession
from trading.rules.quotes import Quote
from trading.rules.sessions import indian_day
from trading.rules.terms import FillModel, LimitFills, SessionClass, UnknownSymbols


class FillSettings(NamedTuple):
    """The settings by which orders fill against quotes: LIMIT_FILLS and MAX_QUOTE_AGE_S (0: any age).

    square_off_time is the Indian time of the square-off in a market without a calendar, None if there is none.
    unknown_symbols says whether an order for an unknown symbol creates its stock or is refused.
    """

    limit_fills: str = LimitFills.BOOK
    max_quote_age_s: int = 60
    square_off_time: time | None = None
    unknown_symbols: str = UnknownSymbols.CREATE


DEFAULT_FILLS = FillSettings()


@dataclass(frozen=True, slots=True)
class PlacementContext:
    """The order that a client asks for, the account, the market calendar (None: always open) and the client's key."""

    account_id: UUID
    request: OrderRequest
    calendar: str | None = None
    idempotency_key: IdempotencyKey | None = None
    fills: FillSettings = DEFAULT_FILLS


@dataclass(frozen=True, slots=True)
class PlacementState:
    """The facts on which a placement is decided; prices and margin in rupees.

    `held` is the position's signed quantity, `held_margin` the margin that it blocks, `promised` the part of it that
    PENDING and OPEN orders of the same side will close.
    The quote is the stock's last one; `is_usable` says whether it may fill orders now. The circuits are those of today,
    otherwise None.
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
    fill_model: str = FillModel.IMMEDIATE
    held_margin: Decimal = ZERO
    tick_size: Decimal | None = None
    lot_size: int | None = None
    allows_intraday: bool = True
    quote_number: int = 0
    usable_number: int = 0
    is_usable: bool = False
    bid_price: Decimal | None = None
    ask_price: Decimal | None = None
    quoted_at: datetime | None = None
    lower_circuit: Decimal | None = None
    upper_circuit: Decimal | None = None
    session_class: str = SessionClass.NORMAL
    stock_id: UUID | None = None
    fingerprint: bytes | None = None
    answer: OrderRow | None = None

    def stock_in(self, session: OrderSession) -> StockFacts:
        """Return the facts of the stock that an order for a session is checked against.

        Today's circuits do not hold in the session of a later day.
        """
        holds = session.opens_at is None or indian_day(session.opens_at) == indian_day(self.read_at)
        return StockFacts(
            last_price=self.last_price,
            tick_size=self.tick_size,
            lot_size=self.lot_size,
            allows_intraday=self.allows_intraday,
            lower_circuit=self.lower_circuit if holds else None,
            upper_circuit=self.upper_circuit if holds else None,
        )

    @property
    def quote(self) -> Quote:
        """Return the stock's present quote, which brings no new trade; that of an unknown stock has no prices."""
        return Quote(
            number=self.quote_number,
            usable_number=self.usable_number,
            bid=self.bid_price,
            ask=self.ask_price,
            last=self.last_price,
            quoted_at=self.quoted_at,
            is_usable=self.is_usable,
            lower_circuit=self.lower_circuit,
            upper_circuit=self.upper_circuit,
            tick_size=self.tick_size,
        )


class Placement(NamedTuple):
    """An accepted order's row, and whether it is the answer to an earlier request with the same key."""

    order: OrderRow
    is_replay: bool
