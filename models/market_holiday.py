"""Days on which a market is closed."""

from peewee import CompositeKey, DateField, TextField

from models.base import Table


class MarketHoliday(Table):
    """One closed day of a market calendar."""

    calendar = TextField()
    day = DateField()
    name = TextField()

    class Meta:
        primary_key = CompositeKey("calendar", "day")
