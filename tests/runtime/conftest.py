"""Fixtures of the tests of the machine room."""

from tests.support.logs import logged

__all__ = ["logged"]
