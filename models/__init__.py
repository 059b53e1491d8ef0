"""Peewee tables, one noun per module, and the database that they live in."""

from models.account import Account
from models.api_token import ApiToken
from models.event import Event
from models.fund_transaction import FundTransaction
from models.market_holiday import MarketHoliday
from models.order import Order
from models.position import Position
from models.stock import Stock

__all__ = ["Account", "ApiToken", "Event", "FundTransaction", "MarketHoliday", "Order", "Position", "Stock"]
