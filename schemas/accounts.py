"""Trading accounts."""

from marshmallow import fields

from .base import StrictSchema
from .examples import ACCOUNT_ID, MOMENT
from .fields import Choice, Identifier, Money, Timestamp
from .pages import AccountChoiceSchema

FILL_MODELS = ("IMMEDIATE", "QUOTES")
STATUSES = ("ACTIVE", "SUSPENDED")

ACCOUNT_SCOPES = ("trade", "read")
SERVICE_SCOPES = ("feed", "admin")
INTERVALS = ("1m", "1h", "1d")


class AccountSchema(StrictSchema):
    """An account; the caller adds `unrealized_pnl`, and in the account's own answer `scopes`, to its row."""

    id = Identifier(data_key="tradingAccountId", metadata={"example": ACCOUNT_ID})
    name = fields.String(metadata={"example": "Asha", "description": "The name of the account."})
    balance = Money(metadata={"example": "999989.46", "description": "The money of the account, in rupees."})
    blocked_margin = Money(
        data_key="blockedMargin",
        metadata={"example": "5000.00", "description": "The margin of PENDING and OPEN orders and of open positions."},
    )
    available_margin = Money(
        data_key="availableMargin",
        metadata={"example": "994989.46", "description": "`balance` less `blockedMargin`: for orders and withdrawals."},
    )
    realized_pnl = Money(
        data_key="realizedPnl",
        metadata={"example": "0.00", "description": "The profit and loss of all closed quantities, without charges."},
    )
    unrealized_pnl = Money(
        data_key="unrealizedPnl",
        metadata={
            "example": "0.00",
            "description": "The profit or loss of open positions at the last prices; one without a price is left out.",
        },
    )
    status = fields.String(metadata={"enum": list(STATUSES), "description": "Whether the account may trade."})
    fill_model = fields.String(
        data_key="fillModel",
        metadata={
            "enum": list(FILL_MODELS),
            "description": "How new orders fill: at once at their own price, or against live quotes.",
        },
    )
    scopes = fields.List(
        fields.String(metadata={"enum": [*ACCOUNT_SCOPES, *SERVICE_SCOPES]}),
        metadata={
            "x-optional": True,
            "example": ["read", "trade"],
            "description": "The scopes of the token; only where the account is read with it.",
        },
    )


class EquityQuerySchema(AccountChoiceSchema):
    """The query of an account's equity over time."""

    interval = Choice(*INTERVALS, load_default="1h", metadata={"description": "The time between two points."})
    since = Timestamp(
        data_key="from",
        load_default=None,
        metadata={
            "description": "The time of the first point. By default a day before the end, 7 days with `1h`, 365 days "
            "with `1d`. At most 1,500 intervals before the end, and with `1m` and `1h` at most 31 days ago."
        },
    )
    until = Timestamp(
        data_key="to", load_default=None, metadata={"description": "The time of the last point; by default now."}
    )


class EquityPointSchema(StrictSchema):
    """The worth of an account at a time."""

    at = Timestamp(metadata={"description": "The state before this time: the end of an interval, or now."})
    balance = Money(metadata={"example": "999989.46", "description": "The money of the account."})
    unrealized_pnl = Money(
        data_key="unrealizedPnl",
        metadata={
            "example": "120.00",
            "description": "The profit or loss of the positions of that time at the prices recorded then; one without "
            "a recorded price is left out. In the last point at the present prices.",
        },
    )
    equity = Money(metadata={"example": "1000109.46", "description": "`balance` and `unrealizedPnl` together."})


class EquitySchema(StrictSchema):
    """The equity of an account over time, the oldest point first."""

    interval = fields.String(metadata={"enum": list(INTERVALS), "example": "1h"})
    data = fields.List(fields.Nested(EquityPointSchema))


class ListedAccountSchema(AccountSchema):
    """An account as the list of all accounts has it: without the profit of its open positions."""

    class Meta(AccountSchema.Meta):
        """Options of marshmallow: the members that need the account's positions or token."""

        exclude = ("unrealized_pnl", "scopes")

    created_at = Timestamp(
        data_key="createdAt", metadata={"example": MOMENT, "description": "The time at which the account was opened."}
    )


class AccountPageSchema(StrictSchema):
    """A page of accounts, the newest first."""

    data = fields.List(fields.Nested(ListedAccountSchema), metadata={"description": "The accounts of this page."})
    next_cursor = fields.String(
        data_key="nextCursor",
        allow_none=True,
        metadata={"description": "The `cursor` of the next page; null on the last page."},
    )
