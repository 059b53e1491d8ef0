"""The HTTP and command-line door of Tradepost."""

from .app import create_app

__all__ = ["create_app"]
