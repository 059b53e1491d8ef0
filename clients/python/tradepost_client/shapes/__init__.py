"""The API's objects as frozen dataclasses: money is Decimal, a time is a datetime in UTC, an id is a string."""
