"""Orders: the requests that place, change and list them, and their responses."""

from typing import Any

from marshmallow import fields, validates_schema
from marshmallow.exceptions import ValidationError

from .base import StrictSchema
from .examples import ACCOUNT_ID, ORDER_ID, STOCK_ID
from .fields import MAX_PRICE, Choice, GivenMoney, Identifier, Money, Symbol, Text, Timestamp, Whole
from .pages import AccountListSchema
from .transactions import TransactionSchema

EXCHANGES = ("NSE", "BSE")
SIDES = ("BUY", "SELL")
PRODUCTS = ("INTRADAY", "DELIVERY")
PRODUCT_SPELLINGS = {"MIS": "INTRADAY", "CNC": "DELIVERY"}
ORDER_TYPES = ("MARKET", "LIMIT")
STATUSES = ("PENDING", "EXECUTED", "CANCELLED", "REJECTED")
MAX_QUANTITY = 1_000_000
CLIENT_ORDER_ID_PATTERN = r"[\x20-\x7e]+"


class OrderTermsSchema(StrictSchema):
    """The terms of an order."""

    exchange = Choice(*EXCHANGES, required=True)
    symbol = Symbol(required=True, metadata={"example": "RELIANCE"})
    side = Choice(*SIDES, required=True)
    quantity = Whole(minimum=1, maximum=MAX_QUANTITY, required=True, metadata={"example": 10})
    order_type = Choice(*ORDER_TYPES, data_key="orderType", load_default="MARKET", metadata={"example": "LIMIT"})
    price = GivenMoney(
        maximum=MAX_PRICE,
        allow_none=True,
        load_default=None,
        metadata={"example": "2500.00", "description": "Required for LIMIT, refused for MARKET."},
    )
    product = Choice(*PRODUCTS, spellings=PRODUCT_SPELLINGS, load_default="INTRADAY")
    client_order_id = Text(
        maximum=64,
        pattern=CLIENT_ORDER_ID_PATTERN,
        data_key="clientOrderId",
        allow_none=True,
        load_default=None,
    )

    @validates_schema
    def check_price(self, data: dict[str, Any], **_: Any) -> None:
        """Require a price for LIMIT and refuse one for MARKET."""
        if data["order_type"] == "LIMIT" and data["price"] is None:
            raise ValidationError("A LIMIT order needs a price.", "price")
        if data["order_type"] == "MARKET" and data["price"] is not None:
            raise ValidationError("A MARKET order takes no price.", "price")


class OrderRequestSchema(OrderTermsSchema):
    """An order to place, with its account."""

    account_id = Identifier(data_key="tradingAccountId", load_default=None)


class OrderChangeSchema(StrictSchema):
    """The new quantity or price of a PENDING order; an omitted member stays unchanged."""

    quantity = Whole(minimum=1, maximum=MAX_QUANTITY, metadata={"example": 10})
    price = GivenMoney(maximum=MAX_PRICE, metadata={"description": "Only for a LIMIT order; refused for MARKET."})
    account_id = Identifier(data_key="tradingAccountId", load_default=None)


class OrderListSchema(AccountListSchema):
    """The query of the list of orders."""

    status = Choice(*STATUSES, load_default=None)
    symbol = Symbol(load_default=None, metadata={"example": "RELIANCE"})
    side = Choice(*SIDES, load_default=None)
    product = Choice(*PRODUCTS, spellings=PRODUCT_SPELLINGS, load_default=None)
    placed_from = Timestamp(
        data_key="from", load_default=None, metadata={"description": "Orders with `placedAt` at or after this time."}
    )
    placed_before = Timestamp(
        data_key="to", load_default=None, metadata={"description": "Orders with `placedAt` before this time."}
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
    status = fields.String(metadata={"enum": list(STATUSES)})
    filled_quantity = Whole(data_key="filledQuantity")
    average_price = Money(data_key="averagePrice", allow_none=True)
    position_id = Identifier(data_key="positionId", allow_none=True)
    blocked_margin = Money(data_key="blockedMargin", metadata={"example": "5000.00"})
    charges = Money(metadata={"example": "10.54"})
    rejection_reason = fields.String(data_key="rejectionReason", allow_none=True)
    placed_at = Timestamp(data_key="placedAt")
    executed_at = Timestamp(data_key="executedAt", allow_none=True)
    updated_at = Timestamp(data_key="updatedAt")


class ChargeItemsSchema(StrictSchema):
    """The parts of an order's charges."""

    brokerage = Money(metadata={"example": "7.50"})
    transaction_tax = Money(data_key="transactionTax", metadata={"example": "0.00"})
    exchange_charge = Money(data_key="exchangeCharge", metadata={"example": "0.77"})
    regulatory_fee = Money(data_key="regulatoryFee", metadata={"example": "0.03"})
    stamp_duty = Money(data_key="stampDuty", metadata={"example": "0.75"})
    gst = Money(metadata={"example": "1.49"})


class OrderDetailSchema(OrderSchema):
    """An order with the parts of its charges and its entries of the fund ledger."""

    charge_items = fields.Nested(ChargeItemsSchema, data_key="chargeItems")
    transactions = fields.List(fields.Nested(TransactionSchema))


class PreviewSchema(StrictSchema):
    """The margin and the charges that an order would need."""

    price = Money(metadata={"example": "2500.00"})
    margin = Money(metadata={"example": "5000.00"})
    charges = Money(metadata={"example": "10.54"})
    charge_items = fields.Nested(ChargeItemsSchema, data_key="chargeItems")
    closing_quantity = Whole(data_key="closingQuantity")
    opening_quantity = Whole(data_key="openingQuantity", metadata={"example": 10})
    available_margin = Money(data_key="availableMargin", metadata={"example": "994989.46"})
    available_margin_after = Money(data_key="availableMarginAfter", metadata={"example": "994989.46"})
    refusal = fields.String(
        allow_none=True, metadata={"description": "The code with which the order would be refused, or null."}
    )


class PlacementSchema(StrictSchema):
    """The answer to a placement."""

    order_id = Identifier(data_key="orderId", metadata={"example": ORDER_ID})
    execution_scheduled = fields.Boolean(data_key="executionScheduled")
    order = fields.Nested(OrderSchema)


class OrderPageSchema(StrictSchema):
    """A page of orders."""

    data = fields.List(fields.Nested(OrderSchema))
    next_cursor = fields.String(data_key="nextCursor", allow_none=True)
