"""Read a file of holidays."""

from api.http.errors import HttpRefusal
from schemas.calendars import HolidaySchema
from trading.market.calendars import Holiday

from .command_input import at_line, load_row, take_columns
from .csv_input import open_csv
from .progress import reading

HOLIDAY = HolidaySchema()


def read_holidays(path: str) -> list[Holiday]:
    """Return the holidays of a CSV file; raise HttpRefusal for a line that is not valid."""
    found = []
    with open_csv(path) as file, reading(file, file.lines) as lines:
        take_columns(file, HOLIDAY)
        for number, line in lines:
            try:
                found.append(Holiday(**load_row(HOLIDAY, file.row(line))))
            except HttpRefusal as refusal:
                raise at_line(number, refusal) from None
    return found
