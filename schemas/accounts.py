"""Trading accounts."""

from marshmallow import fields

from .base import StrictSchema
from .fields import Identifier, Money


class AccountSchema(StrictSchema):
    """Show an account; `unrealized_pnl` is put into the row before."""

    id = Identifier(data_key="tradingAccountId")
    name = fields.String()
    balance = Money()
    blocked_margin = Money(data_key="blockedMargin")
    available_margin = Money(data_key="availableMargin")
    realized_pnl = Money(data_key="realizedPnl")
    unrealized_pnl = Money(data_key="unrealizedPnl")
    status = fields.String(metadata={"enum": ["ACTIVE", "SUSPENDED"]})
