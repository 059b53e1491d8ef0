"""The operations of the API, each as a function that returns a call; the clients have methods of the same names."""

from . import admin, market, orders, portfolio

__all__ = ["admin", "market", "orders", "portfolio"]
