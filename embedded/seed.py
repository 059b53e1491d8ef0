"""The demo data of `make run`: an account, its token, stocks with prices, and the holidays of a calendar."""

import csv
import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

from config import Settings, require_database_url
from models import database
from trading.accounts import administration, tokens
from trading.market import calendars
from trading.market.stocks import find_stocks
from trading.matching import feed
from trading.matching.stock_changes import ImportedFacts, set_facts
from trading.rules.terms import FillModel

DEMO_NAME = "Demo"
DEMO_BALANCE = Decimal("1000000.00")
DEMO_SCOPES = ("trade", "read")
SERVICE_SCOPES = {"feed_token": ("feed",), "operator_token": ("admin", "feed")}
# Exchange, symbol and last traded price.
Quote = tuple[str, str, Decimal]
STOCKS_PATH = Path(__file__).with_name("demo_stocks.csv")
HOLIDAYS_FOLDER = Path(__file__).resolve().parent.parent / "data"
MEMORY_NAME = "simulator.json"  # the quote simulator's, in the data folder


@dataclass(frozen=True)
class Demo:
    """The demo account, and the secrets of its token, of the quote simulator's and of the operator's."""

    account_id: str
    token: str
    feed_token: str = ""
    operator_token: str = ""


def seed(settings: Settings) -> Demo:
    """Return the demo account of an earlier start if this database has it, else create it and the stocks."""
    database.initialise(require_database_url(settings), pool_size=2, shards=settings.shards)
    path = settings.data_dir / "demo.json"
    try:
        if settings.market_calendar is not None:
            _add_holidays(settings.market_calendar)
        demo = _existing(path) or _create(path)
        _complete_stocks()
        return _with_service_tokens(demo, path)
    finally:
        database.db.dispose()  # processes forked later must not share a connection


def _existing(path: Path) -> Demo | None:
    try:
        demo = Demo(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    token = tokens.find_token(demo.token)
    known = token is not None and str(token["account_id"]) == demo.account_id and token["revoked_at"] is None
    return demo if known else None


def _add_holidays(calendar: str) -> None:
    """Give a calendar without holidays those that are shipped, and the sessions of their years."""
    known = calendars.days(calendar)
    if known is not None and known.trading_holidays:
        return
    for path in sorted(HOLIDAYS_FOLDER.glob(f"{calendar.lower()}-holidays-*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(row["calendar"], date.fromisoformat(row["day"]), row["name"]) for row in csv.DictReader(file)]
        calendars.import_holidays(rows)
    calendars.add_missing_sessions(calendar)


def _create(path: Path) -> Demo:
    path.with_name(MEMORY_NAME).unlink(missing_ok=True)  # of another database
    feed.set_quotes(read_stocks())
    account = administration.create_account(DEMO_NAME, DEMO_BALANCE, fill_model=FillModel.QUOTES)
    _, secret = tokens.create_token(list(DEMO_SCOPES), account_id=account["id"])
    demo = Demo(account_id=str(account["id"]), token=secret)
    write_private(path, json.dumps(asdict(demo), indent=2) + "\n")
    return demo


def _with_service_tokens(demo: Demo, path: Path) -> Demo:
    """Return the demo with valid tokens of the simulator and of the operator."""
    missing = {name: scopes for name, scopes in SERVICE_SCOPES.items() if not _is_valid(getattr(demo, name))}
    if not missing:
        return demo
    demo = replace(demo, **{name: tokens.create_token(list(scopes))[1] for name, scopes in missing.items()})
    write_private(path, json.dumps(asdict(demo), indent=2) + "\n")
    return demo


def _is_valid(secret: str) -> bool:
    token = tokens.find_token(secret) if secret else None
    return token is not None and token["revoked_at"] is None


def read_stocks() -> list[Quote]:
    """Return the demo's stocks with their initial prices."""
    with STOCKS_PATH.open(newline="", encoding="utf-8") as file:
        return [(row["exchange"], row["symbol"], Decimal(row["last_price"])) for row in csv.DictReader(file)]


def _complete_stocks() -> None:
    """Give the demo's stocks the name, the instrument token and the ISIN that they lack, as those of earlier releases.

    The tokens are Kite Connect's; two public lists of instruments agree on them. The ISINs are those of NSE's list of
    equities of 2026-03, and of 2024-05 for TATAMOTORS, which has another symbol now. All were read 2026-11.
    """
    with STOCKS_PATH.open(newline="", encoding="utf-8") as file:
        known = {(row["exchange"], row["symbol"]): row for row in csv.DictReader(file)}
    facts = []
    for row in find_stocks(known):
        pair = row["exchange"], row["symbol"]
        name = known[pair]["name"] if row["name"] is None else None
        facts.append(ImportedFacts(*pair, name=name))
        if row["isin"] is None:
            token, isin = int(known[pair]["instrument_token"]), known[pair]["isin"]
            facts[-1] = facts[-1]._replace(instrument_token=token, isin=isin)
    set_facts(facts)


def write_private(path: Path, text: str) -> None:
    """Write a file readable only by its owner, as a whole or not at all."""
    staging = path.with_name(path.name + ".new")
    staging.unlink(missing_ok=True)
    with os.fdopen(os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    staging.replace(path)
