"""The command `replay`: run quotes and orders of files through the product by a virtual clock."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

import config
from api.http.errors import invalid
from models import database
from models.scratch import ScratchRefused, scratch_database
from runtime import logs, redis_link
from schemas.admin import AccountCreationSchema
from trading.market import calendars
from trading.matching.feed import MarketRules
from trading.orders.placement_types import FillSettings
from trading.replay import output
from trading.replay.clock import VirtualClock
from trading.replay.driver import Replay, StuckOrders
from trading.replay.preparing import day_range, fixed_times, make_days, prepared
from trading.replay.timers import Timers, midnight
from trading.replay.trader import Terms, Trader
from trading.rules.sessions import ONE_DAY
from trading.upkeep.verify import verify

from .command_input import load
from .failures import fail, telling_failures
from .holiday_files import read_holidays
from .progress import patience
from .replay_files import find_days, read_actions, read_quotes
from .stock_commands import import_facts

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = 4
REFUSALS_SHOWN = 20

csv_path = click.Path(exists=True, dir_okay=False)


@click.command("replay")
@click.option("--quotes", "quotes_path", required=True, type=csv_path, help="The quotes, in time order.")
@click.option(
    "--orders", "orders_path", required=True, type=csv_path, help="The orders, their changes and cancellations."
)
@click.option("--out", "folder", required=True, type=click.Path(file_okay=False), help="The folder of the results.")
@click.option("--calendar", help="NSE. Default: MARKET_CALENDAR; without both the market is always open.")
@click.option("--holidays", "holidays_path", type=csv_path, help="The holidays of the calendar.")
@click.option("--stocks", "stocks_path", type=csv_path, help="Ticks, lots and session classes, as for stocks import.")
@click.option("--balance", default="1000000.00", show_default=True, help="Each account's opening balance in rupees.")
@click.option("--fill-model", default="QUOTES", show_default=True, help="IMMEDIATE or QUOTES.")
@with_appcontext
@telling_failures
def replay_command(
    quotes_path: str,
    orders_path: str,
    folder: str,
    calendar: str | None,
    holidays_path: str | None,
    stocks_path: str | None,
    balance: str,
    fill_model: str,
) -> None:
    """Run a file of quotes and a file of orders through the product by a virtual clock, and write the results.

    It works in a database of its own, which it makes on the server of DATABASE_URL, or on one that it starts. The same
    files give the same results, byte for byte.
    """
    account = load(AccountCreationSchema(), {"name": "replay", "openingBalance": balance, "fillModel": fill_model})
    actions = read_actions(orders_path)
    found = find_days(quotes_path)
    moments = [*(found or ()), *(action.at for action in actions)]
    if not moments:
        raise invalid({"quotes": ["Neither file has a row."]})
    first, last = day_range(moments)
    holidays = read_holidays(holidays_path) if holidays_path else []
    with _own_database(calendar) as settings:
        terms = Terms(
            settings.market_calendar,
            FillSettings(settings.limit_fills, settings.max_quote_age_s),
            account["opening_balance"],
            account["fill_model"],
        )
        clock = VirtualClock()
        with prepared(clock):
            make_days(terms.calendar, first, last, holidays)
            if stocks_path:
                import_facts(stocks_path)
            times = fixed_times(calendars.days(terms.calendar), first, last, settings.square_off_time)
            timers = Timers(times, ends_at=midnight(last + ONE_DAY))
            replay = Replay(clock, timers, Trader(terms), MarketRules.of(settings))
            try:
                replay.run(read_quotes(quotes_path), actions)
            except StuckOrders as error:
                fail(f"Orders cannot be executed: {error}")
            with patience("writing the results"):
                output.write(replay, Path(folder))
            _tell(replay, len(actions))


def _tell(replay: Replay, actions: int) -> None:
    """Print the counts, the refused actions, and the violations of the ledger, of which there should be none."""
    accounts = len(replay.trader.accounts)
    click.echo(f"{replay.quotes_taken} quotes in {replay.quotes_s:.1f} s, {actions} actions, {accounts} accounts")
    for outcome, count in sorted(replay.quotes_refused.items()):
        click.echo(f"{count} quotes match nothing: {outcome}")
    refusals = replay.trader.refusals
    for refusal in refusals[:REFUSALS_SHOWN]:
        name = refusal.name or "an order"
        click.echo(f"line {refusal.line}: {refusal.kind} of {name} of {refusal.account}: {refusal.code}", err=True)
    if len(refusals) > REFUSALS_SHOWN:
        click.echo(f"and {len(refusals) - REFUSALS_SHOWN} more refusals", err=True)
    with patience("checking the ledger"):
        violations = list(map(str, verify()))
    if violations:
        fail(f"The books are wrong: {'; '.join(violations[:REFUSALS_SHOWN])}")


@contextlib.contextmanager
def _own_database(calendar: str | None) -> Iterator[config.Settings]:
    """Point this process at an empty database of its own, without Redis; yield the settings."""
    given: config.Settings = current_app.config["SETTINGS"]
    with contextlib.ExitStack() as stack:
        try:
            with patience("making a database"):
                server = given.database_url or stack.enter_context(_server())
                url = stack.enter_context(scratch_database(server))
        except ScratchRefused as error:
            fail(f"The server makes no database ({error}): unset DATABASE_URL, and the replay starts its own server.")
        chosen = {"DATABASE_URL": url, "MARKET_CALENDAR": calendar or given.market_calendar or ""}
        chosen["SHARDS"] = "1"  # its orders are few, and one bucket is the fastest
        chosen["RECORD_CANDLES"] = "off"  # they are written by a thread, which would read the clock at any time
        stack.enter_context(_environment(chosen))
        database.initialise(url, pool_size=CONNECTIONS, application_name="tradepost-replay")
        stack.callback(database.db.dispose)
        redis_link.configure(None)
        logs.configure("WARNING", given.log_format)
        yield config.settings()


@contextlib.contextmanager
def _environment(chosen: dict[str, str]) -> Iterator[None]:
    """Let the settings of this process be those of the environment with these values."""
    before = dict(os.environ)
    os.environ.update(chosen)
    config.settings.cache_clear()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        config.settings.cache_clear()


@contextlib.contextmanager
def _server() -> Iterator[str]:
    """Start a server that lives as long as this process; yield its URL."""
    # A session of its own, so that Ctrl-C in the terminal does not end it before its database is dropped.
    command = [sys.executable, "-m", "embedded.throwaway"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            fail("No server starts here: set DATABASE_URL, or install the packages of requirements-run.txt.")
        yield url
        # Leaving the block closes its standard input, and waits for its end.
