"""The owners of a replay's accounts: they place, cancel, modify and close as clients of the API do."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from models import Position
from models.database import session
from trading.accounts.administration import create_account
from trading.orders.cancellation import cancel_order
from trading.orders.closing import close_position
from trading.orders.modification import modify_order
from trading.orders.placement import place_order
from trading.orders.placement_types import FillSettings, Placement
from trading.replay.inputs import Action
from trading.rules.errors import NotFound, Refused


class Terms(NamedTuple):
    """The terms on which accounts trade: the calendar, the fill settings, the opening balance and the fill model."""

    calendar: str | None
    fills: FillSettings
    balance: Decimal
    fill_model: str


class Refusal(NamedTuple):
    """An action that was refused, with the code of its refusal."""

    line: int
    at: datetime
    kind: str
    account: str
    name: str | None
    code: str

    @property
    def is_of_an_order(self) -> bool:
        """Return True if the action would have placed an order."""
        return self.kind in ("place", "close")


class Trader:
    """The accounts by name, the names that their owners gave to orders, and the refused actions."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.accounts: dict[str, UUID] = {}
        self.names: dict[UUID, str] = {}  # of orders that close positions, which have no clientOrderId of their own
        self.refusals: list[Refusal] = []
        self._orders: dict[tuple[str, str], UUID] = {}
        self._kinds: dict[str, Callable[[UUID, Action], None]] = {
            "place": self._place,
            "cancel": self._cancel,
            "modify": self._modify,
            "close": self._close,
        }

    def act(self, action: Action) -> None:
        """Do an action, or record its refusal; an account is opened at its first use."""
        account_id = self.accounts.get(action.account)
        if account_id is None:
            row = create_account(action.account, self.terms.balance, fill_model=self.terms.fill_model)
            account_id = self.accounts[action.account] = row["id"]
        try:
            self._kinds[action.kind](account_id, action)
        except Refused as refusal:
            self._refuse(action, refusal.code)

    def _refuse(self, action: Action, code: str) -> None:
        self.refusals.append(Refusal(action.line, action.at, action.kind, action.account, action.name, code))

    def _place(self, account_id: UUID, action: Action) -> None:
        if action.request is None:
            self._refuse(action, str(action.refusal))
            return
        self._name(action, place_order(account_id, action.request, **self._market))

    def _cancel(self, account_id: UUID, action: Action) -> None:
        cancel_order(account_id, self._order(action))

    def _modify(self, account_id: UUID, action: Action) -> None:
        if action.change is None:
            self._refuse(action, str(action.refusal))
            return
        modify_order(account_id, self._order(action), action.change, calendar=self.terms.calendar)

    def _close(self, account_id: UUID, action: Action) -> None:
        if action.position is None:
            self._refuse(action, str(action.refusal))
            return
        placement = close_position(account_id, _position(account_id, *action.position), **self._market)
        self._name(action, placement)
        if action.name is not None:
            self.names[placement.order["id"]] = action.name

    @property
    def _market(self) -> dict[str, Any]:
        return {"calendar": self.terms.calendar, "fills": self.terms.fills}

    def _name(self, action: Action, placement: Placement) -> None:
        if action.name is not None:
            self._orders[action.account, action.name] = placement.order["id"]

    def _order(self, action: Action) -> UUID:
        """Return the order that an action names; raises NotFound."""
        order_id = self._orders.get((action.account, action.name or ""))
        if order_id is None:
            raise NotFound
        return order_id


def _position(account_id: UUID, exchange: str, symbol: str, product: str) -> UUID:
    """Return an account's position; raises NotFound."""
    chosen = (
        (Position.account_id == account_id)
        & (Position.exchange == exchange)
        & (Position.symbol == symbol)
        & (Position.product == product)
    )
    with session():
        position = Position.get_or_none(chosen)
    if position is None:
        raise NotFound
    found: UUID = position.id
    return found
