"""The operator's commands: `flask --app api accounts create …` and its like."""

import click
from flask import Flask
from flask.cli import AppGroup
from peewee import ProgrammingError

from models import migrate
from schemas.accounts import AccountSchema
from schemas.admin import (
    ACCOUNT_SCOPES,
    AccountCreationSchema,
    FundsSchema,
    ServiceTokenCreationSchema,
    TokenCreationSchema,
)
from schemas.fields import format_timestamp
from schemas.market import QuoteSchema
from schemas.transactions import TransactionSchema
from trading.accounts.administration import create_account, move_funds
from trading.accounts.audit import record_action
from trading.accounts.reading import list_accounts
from trading.accounts.tokens import create_token, revoke_token
from trading.events.retention import delete_what_is_old
from trading.execution.sweeping import SweepCounts, sweep_once
from trading.market.quotes import set_quotes
from trading.upkeep.backlog import count_pending
from trading.upkeep.verify import verify

from .base import as_json, fail, show, with_database
from .command_input import identifier, load
from .imports import holidays, stocks
from .stream import stream_command

accounts = AppGroup("accounts", help="Create, list and fund accounts.")
tokens = AppGroup("tokens", help="Create and revoke API tokens.")
quotes = AppGroup("quotes", help="Set last traded prices.")
orders = AppGroup("orders", help="Execute what is PENDING.")
ledger = AppGroup("ledger", help="Prove the books.")
db = AppGroup("db", help="Keep the schema up to date, and delete what is old.")

SWEEP_BATCH = 500
COMMAND_LINE = "command line"  # where an audited action came from


def register(app: Flask) -> None:
    """Add the commands to the application."""
    for group in (accounts, tokens, quotes, stocks, holidays, orders, ledger, db):
        app.cli.add_command(group)
    app.cli.add_command(stream_command)


@accounts.command("create")
@click.option("--name", required=True)
@click.option("--balance", default="0.00", show_default=True, help="Opening deposit in rupees.")
@as_json
@with_database
def accounts_create(name: str, balance: str, as_json: bool) -> None:
    """Create an account and a token that may trade and read for it."""
    values = load(AccountCreationSchema(), {"name": name, "openingBalance": balance})
    record_action("account.create", values, address=COMMAND_LINE)
    account_id = create_account(values["name"], values["opening_balance"])["id"]
    _, secret = create_token(ACCOUNT_SCOPES, account_id=account_id)
    show(as_json, {"accountId": str(account_id), "token": secret})


@accounts.command("list")
@as_json
@with_database
def accounts_list(as_json: bool) -> None:
    """List all accounts, oldest first."""
    show(as_json, AccountSchema(exclude=("unrealized_pnl",), many=True).dump(list_accounts()))


@accounts.command("deposit")
@click.argument("account_id", metavar="ACCOUNT")
@click.argument("amount")
@as_json
@with_database
def accounts_deposit(account_id: str, amount: str, as_json: bool) -> None:
    """Deposit an amount of rupees into an account."""
    values = load(FundsSchema(), {"kind": "DEPOSIT", "amount": amount})
    owner = identifier("account", account_id)
    record_action("account.funds", {"account_id": owner, **values}, address=COMMAND_LINE)
    row, _ = move_funds(owner, values["kind"], values["amount"])
    show(as_json, TransactionSchema().dump(row))


@tokens.command("create")
@click.option("--account", "account_id", help="The account that it trades or reads for.")
@click.option("--scopes", required=True, help="trade,read with an account; feed,admin without.")
@click.option("--expires-at", help="An RFC 3339 timestamp; never, when left out.")
@as_json
@with_database
def tokens_create(account_id: str | None, scopes: str, expires_at: str | None, as_json: bool) -> None:
    """Create a token; its secret is printed this once."""
    schema = ServiceTokenCreationSchema() if account_id is None else TokenCreationSchema()
    values = load(schema, {"scopes": [scope.strip() for scope in scopes.split(",")], "expiresAt": expires_at})
    owner = None if account_id is None else identifier("account", account_id)
    record_action("token.create", {"account_id": owner, **values}, address=COMMAND_LINE)
    token_id, secret = create_token(values["scopes"], account_id=owner, expires_at=values["expires_at"])
    show(as_json, {"tokenId": str(token_id), "token": secret})


@tokens.command("revoke")
@click.argument("token_id", metavar="TOKEN_ID")
@with_database
def tokens_revoke(token_id: str) -> None:
    """Revoke a token; it stops working within 5 s."""
    revoked = identifier("tokenId", token_id)
    record_action("token.revoke", {"token_id": revoked}, address=COMMAND_LINE)
    revoke_token(revoked)


@quotes.command("set")
@click.argument("exchange")
@click.argument("symbol")
@click.argument("last_price", metavar="PRICE")
@with_database
def quotes_set(exchange: str, symbol: str, last_price: str) -> None:
    """Set the last traded price of a stock, which is created when unknown."""
    quote = load(QuoteSchema(), {"exchange": exchange, "symbol": symbol, "lastPrice": last_price})
    set_quotes([(quote["exchange"], quote["symbol"], quote["last_price"])])


@orders.command("sweep")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@as_json
@with_database
def orders_sweep(limit: int, as_json: bool) -> None:
    """Execute PENDING orders here and now, oldest first."""
    total = SweepCounts()
    while total.claimed < limit:
        wanted = min(limit - total.claimed, SWEEP_BATCH)
        counts = sweep_once(limit=wanted, older_than_ms=0, exclusive=False)
        total = SweepCounts(*(sum(pair) for pair in zip(total, counts, strict=True)))
        if counts.claimed < wanted:
            break
    show(as_json, {**total._asdict(), "remaining": count_pending()})


@ledger.command("verify")
@as_json
@with_database
def ledger_verify(as_json: bool) -> None:
    """Check the books of every account against the rules; exit 1 and list what is broken."""
    violations = [{"accountId": str(item.account_id), "rule": item.rule, "detail": item.detail} for item in verify()]
    if as_json or violations:
        show(as_json, violations)
    else:
        click.echo("The books are right.")
    if violations:
        fail(f"{len(violations)} broken")


@db.command("upgrade")
@with_database
def db_upgrade() -> None:
    """Apply the migrations that are missing."""
    try:
        for name in migrate.upgrade():
            click.echo(f"applied {name}")
    except ProgrammingError as error:
        fail(f"A migration does not fit ({str(error).splitlines()[0]}): give Tradepost a database of its own.")


@db.command("status")
@as_json
@with_database
def db_status(as_json: bool) -> None:
    """List the migrations, each with the time at which it was applied."""
    rows = [
        {"name": name, "appliedAt": format_timestamp(applied_at) if applied_at else None}
        for name, applied_at in migrate.status()
    ]
    show(as_json, rows)


@db.command("prune")
@as_json
@with_database
def db_prune(as_json: bool) -> None:
    """Delete events and idempotency keys that are older than they are kept, as workers do by themselves."""
    show(as_json, delete_what_is_old()._asdict())
