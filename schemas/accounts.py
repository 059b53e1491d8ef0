"""Trading accounts."""

from marshmallow import fields

from .base import StrictSchema
from .examples import ACCOUNT_ID
from .fields import Identifier, Money


class AccountSchema(StrictSchema):
    """Show an account; `unrealized_pnl` is put into the row before."""

    id = Identifier(data_key="tradingAccountId", metadata={"example": ACCOUNT_ID})
    name = fields.String(metadata={"example": "Asha"})
    balance = Money(metadata={"example": "999989.46"})
    blocked_margin = Money(data_key="blockedMargin", metadata={"example": "5000.00"})
    available_margin = Money(data_key="availableMargin", metadata={"example": "994989.46"})
    realized_pnl = Money(data_key="realizedPnl", metadata={"example": "0.00"})
    unrealized_pnl = Money(data_key="unrealizedPnl", metadata={"example": "0.00"})
    status = fields.String(metadata={"enum": ["ACTIVE", "SUSPENDED"]})
