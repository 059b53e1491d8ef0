"""The list of all commands, by subject."""

import click
from flask import Flask

from .account_commands import accounts
from .candle_commands import candles
from .database_commands import db, ledger
from .holiday_commands import holidays
from .job_commands import jobs
from .order_commands import orders
from .quote_commands import quotes
from .replay_command import replay_command
from .session_commands import sessions
from .stock_commands import stocks
from .stream_command import stream_command
from .token_commands import tokens

SECTIONS: dict[str, tuple[click.Command, ...]] = {
    "Accounts and trading": (accounts, tokens, orders, stream_command),
    "The market": (stocks, quotes, candles, sessions, holidays),
    "Operations": (ledger, jobs, db, replay_command),
}


def register(app: Flask) -> None:
    """Add all commands to the application, for `flask --app api`."""
    for commands in SECTIONS.values():
        for command in commands:
            app.cli.add_command(command)
