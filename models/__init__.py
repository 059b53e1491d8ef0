"""The database: its connections, its tables as peewee models and as typed rows, its migrations."""

from models.account import Account
from models.admin_action import AdminAction
from models.api_token import ApiToken
from models.position import Position
from models.stock import Stock

__all__ = ["Account", "AdminAction", "ApiToken", "Position", "Stock"]
