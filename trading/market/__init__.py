"""Quotes of stocks and the calendars of exchanges."""
