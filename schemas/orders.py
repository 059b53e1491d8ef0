"""Orders: the query of their list, and the responses."""

from marshmallow import fields

from .accounts import FILL_MODELS
from .base import StrictSchema
from .examples import ACCOUNT_ID, ORDER_ID, ORDER_NUMBER, STOCK_ID
from .fields import Identifier, Money, Timestamp, Whole
from .transactions import TransactionSchema

EXCHANGES = ("NSE", "BSE")
SIDES = ("BUY", "SELL")
PRODUCTS = ("INTRADAY", "DELIVERY")
PRODUCT_SPELLINGS = {"MIS": "INTRADAY", "CNC": "DELIVERY"}
ORDER_TYPES = ("MARKET", "LIMIT", "STOP_LIMIT", "STOP_MARKET")
ORDER_TYPE_SPELLINGS = {"SL": "STOP_LIMIT", "SL-M": "STOP_MARKET"}
VALIDITIES = ("DAY", "IOC", "TTL", "GTC")
STATUSES = ("PENDING", "OPEN", "EXECUTED", "CANCELLED", "REJECTED", "EXPIRED")
LIVE_STATUSES = ("PENDING", "OPEN")
WAITS = ("price", "trigger", "quote", "session")
REJECTION_REASONS = ("no_price", "insufficient_holdings", "insufficient_margin", "execution_failed")
END_REASONS = ("client", "ioc", "square_off", "oco", "reset", "stock_inactive")
ORIGINS = ("CLIENT", "SQUARE_OFF")
FILL_RULES = ("first_look", "book", "trade_through", "touch", "market", "stop", "close_price")
# A price that is kept as text.
AS_PRICE = {"pattern": r"^(0|[1-9][0-9]*)\.[0-9]{2}$"}


class FillSchema(StrictSchema):
    """The quote that filled an order, and the rule; the prices are those of the quote."""

    quote_number = Whole(
        data_key="quoteNumber",
        attribute="quoteNumber",
        metadata={"example": 1201, "description": "The number of the quote among those of its stock."},
    )
    bid = fields.String(
        allow_none=True,
        metadata={
            **AS_PRICE,
            "example": "2499.95",
            "description": "The best bid of the quote; null if there was none.",
        },
    )
    ask = fields.String(
        allow_none=True,
        metadata={
            **AS_PRICE,
            "example": "2500.00",
            "description": "The best offer of the quote; null if there was none.",
        },
    )
    last = fields.String(
        allow_none=True,
        metadata={
            **AS_PRICE,
            "example": "2499.95",
            "description": "The last traded price of the quote; null if there was none.",
        },
    )
    quoted_at = Timestamp(
        data_key="quotedAt", attribute="quotedAt", allow_none=True, metadata={"description": "The time of the quote."}
    )
    rule = fields.String(
        metadata={
            "enum": list(FILL_RULES),
            "example": "book",
            "description": "`first_look`, `market` and `stop`: at the other side of the book. `book`, `trade_through` "
            "and `touch`: at the limit, which the book or a new trade had reached. `close_price`: at the official "
            "close, or the session's last price.",
        }
    )


class OrderSchema(StrictSchema):
    """An order."""

    id = Identifier(data_key="orderId", metadata={"example": ORDER_ID})
    account_id = Identifier(data_key="tradingAccountId", metadata={"example": ACCOUNT_ID})
    client_order_id = fields.String(data_key="clientOrderId", allow_none=True)
    exchange = fields.String(metadata={"enum": list(EXCHANGES)})
    symbol = fields.String(metadata={"example": "RELIANCE"})
    stock_id = Identifier(data_key="stockId", metadata={"example": STOCK_ID})
    side = fields.String(metadata={"enum": list(SIDES)})
    product = fields.String(metadata={"enum": list(PRODUCTS)})
    order_type = fields.String(data_key="orderType", metadata={"enum": list(ORDER_TYPES), "example": "LIMIT"})
    quantity = Whole(metadata={"example": 10})
    price = Money(allow_none=True, metadata={"example": "2500.00"})
    trigger_price = Money(data_key="triggerPrice", allow_none=True)
    validity = fields.String(metadata={"enum": list(VALIDITIES)})
    validity_minutes = Whole(data_key="validityMinutes", allow_none=True)
    market_protection = Money(data_key="marketProtection", allow_none=True, metadata={"description": "Percent."})
    protection_price = Money(
        data_key="protectionPrice",
        allow_none=True,
        metadata={"description": "The price at which a protected MARKET or STOP_MARKET order rests."},
    )
    after_market = fields.Boolean(
        data_key="afterMarket",
        metadata={"example": False, "description": "True: the order could be placed outside the session."},
    )
    tag = fields.String(allow_none=True)
    fill_model = fields.String(data_key="fillModel", metadata={"enum": list(FILL_MODELS)})
    origin = fields.String(
        metadata={
            "enum": list(ORIGINS),
            "description": "`SQUARE_OFF` for the order that closes an INTRADAY position at the end of the day.",
        }
    )
    status = fields.String(metadata={"enum": list(STATUSES)})
    waiting_for = fields.String(
        data_key="waitingFor",
        allow_none=True,
        metadata={
            "enum": [*WAITS, None],
            "description": "The thing that an OPEN order waits for: its `price`, its `trigger` or a usable `quote`; "
            "`session` for a PENDING after-market order.",
        },
    )
    filled_quantity = Whole(data_key="filledQuantity")
    average_price = Money(data_key="averagePrice", allow_none=True)
    position_id = Identifier(data_key="positionId", allow_none=True)
    blocked_margin = Money(data_key="blockedMargin", metadata={"example": "5000.00"})
    charges = Money(metadata={"example": "10.54"})
    rejection_reason = fields.String(
        data_key="rejectionReason",
        allow_none=True,
        metadata={
            "enum": [*REJECTION_REASONS, None],
            "description": "The reason for which the order was rejected; null unless the status is REJECTED.",
        },
    )
    end_reason = fields.String(
        data_key="endReason",
        allow_none=True,
        metadata={
            "enum": [*END_REASONS, None],
            "description": "The reason for which the order was cancelled or expired, where the status does not say it.",
        },
    )
    placed_at = Timestamp(data_key="placedAt")
    triggered_at = Timestamp(data_key="triggeredAt", allow_none=True)
    matched_at = Timestamp(
        data_key="matchedAt",
        allow_none=True,
        metadata={"description": "The time at which the market traded the order; its fill follows."},
    )
    expires_at = Timestamp(data_key="expiresAt", allow_none=True)
    executed_at = Timestamp(data_key="executedAt", allow_none=True)
    updated_at = Timestamp(data_key="updatedAt")
    # An answer that an earlier release has kept for a key has no number.
    order_number = fields.String(
        data_key="orderNumber",
        allow_none=True,
        metadata={
            "example": ORDER_NUMBER,
            "description": "The order's unique number of 15 digits: its day in India as `yymmdd`, and nine digits of a "
            "sequence. Null for an order that was final before orders were numbered.",
        },
    )
    fill = fields.Nested(
        FillSchema,
        allow_none=True,
        metadata={"description": "The quote and the rule that filled the order; null for the fill model IMMEDIATE."},
    )


class ChargeItemsSchema(StrictSchema):
    """The parts of an order's charges."""

    brokerage = Money(
        metadata={
            "example": "7.50",
            "description": "The broker's part: a share of the turnover with a cap; 0 for DELIVERY.",
        }
    )
    transaction_tax = Money(
        data_key="transactionTax",
        metadata={
            "example": "0.00",
            "description": "The securities transaction tax: of both sides for DELIVERY, of a SELL for INTRADAY.",
        },
    )
    exchange_charge = Money(
        data_key="exchangeCharge",
        metadata={"example": "0.77", "description": "The exchange's charge for the transaction."},
    )
    regulatory_fee = Money(
        data_key="regulatoryFee", metadata={"example": "0.03", "description": "The fee of the regulator, SEBI."}
    )
    stamp_duty = Money(data_key="stampDuty", metadata={"example": "0.75", "description": "The stamp duty of a BUY."})
    gst = Money(
        metadata={
            "example": "1.49",
            "description": "The tax on brokerage, exchange charge and regulatory fee, before they are rounded.",
        }
    )
    square_off_fee = Money(
        data_key="squareOffFee",
        metadata={"x-optional": True, "description": "The broker's fee for a square-off; absent if it is 0."},
    )


class OrderDetailSchema(OrderSchema):
    """An order with the parts of its charges and its entries of the fund ledger."""

    charge_items = fields.Nested(ChargeItemsSchema, data_key="chargeItems")
    transactions = fields.List(
        fields.Nested(TransactionSchema), metadata={"description": "The entries of the fund ledger, oldest first."}
    )


class PlacementSchema(StrictSchema):
    """The answer to a placement."""

    order_id = Identifier(data_key="orderId", metadata={"example": ORDER_ID})
    execution_scheduled = fields.Boolean(
        data_key="executionScheduled",
        metadata={
            "description": "True: a worker executes the order. False: the answer waited, and the order is final."
        },
    )
    order = fields.Nested(OrderSchema)


class OrderPageSchema(StrictSchema):
    """A page of orders."""

    data = fields.List(fields.Nested(OrderSchema))
    next_cursor = fields.String(data_key="nextCursor", allow_none=True)
