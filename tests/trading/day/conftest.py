"""Fixtures of the tests of a trading day."""

from tests.support.market_clock import clock, set_up

__all__ = ["clock", "set_up"]
