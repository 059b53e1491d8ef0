"""The commands on accounts, tokens, quotes, orders, the ledger and the database, and the list of all commands."""

import click
from flask import Flask, current_app
from flask.cli import AppGroup
from peewee import ProgrammingError

from models import migrate
from schemas.accounts import ACCOUNT_SCOPES, AccountSchema
from schemas.admin import (
    AccountCreationSchema,
    FundsSchema,
    ResetSchema,
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
from trading.day.reset import reset_account
from trading.events.retention import delete_what_is_old
from trading.execution.sweeping import SweepCounts, sweep_once
from trading.market.quotes import GivenQuote
from trading.matching.feed import MarketRules, receive_quotes
from trading.upkeep.backlog import count_pending
from trading.upkeep.verify import verify

from .command_input import identifier, load
from .failures import fail, with_database
from .import_commands import holidays, stocks
from .job_commands import jobs
from .output import as_json, show
from .replay_command import replay_command
from .session_commands import sessions, tell_of_missing_sessions
from .stream_command import stream_command

accounts = AppGroup("accounts", help="Create, list and fund accounts.")
tokens = AppGroup("tokens", help="Create and revoke API tokens.")
quotes = AppGroup("quotes", help="Set last traded prices.")
orders = AppGroup("orders", help="Execute due orders.")
ledger = AppGroup("ledger", help="Verify the ledger.")
db = AppGroup("db", help="Migrate the schema, and delete expired rows.")

SWEEP_BATCH = 500
COMMAND_LINE = "command line"  # the address of these actions in the audit


def register(app: Flask) -> None:
    """Add all commands to the application."""
    for group in (accounts, tokens, quotes, stocks, holidays, sessions, orders, jobs, ledger, db):
        app.cli.add_command(group)
    app.cli.add_command(stream_command)
    app.cli.add_command(replay_command)


@accounts.command("create")
@click.option("--name", required=True)
@click.option("--balance", default="0.00", show_default=True, help="Opening deposit in rupees.")
@click.option("--fill-model", help="IMMEDIATE or QUOTES. Default: FILL_MODEL.")
@as_json
@with_database
def accounts_create(name: str, balance: str, fill_model: str | None, as_json: bool) -> None:
    """Create an account, and a token with the scopes trade and read."""
    given = {"name": name, "openingBalance": balance, "fillModel": fill_model}
    values = load(AccountCreationSchema(), given)
    record_action("account.create", values, address=COMMAND_LINE)
    chosen = values["fill_model"] or current_app.config["SETTINGS"].fill_model
    account_id = create_account(values["name"], values["opening_balance"], fill_model=chosen)["id"]
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


@accounts.command("reset")
@click.argument("account_id", metavar="ACCOUNT")
@click.option("--balance", required=True, help="The balance afterwards, in rupees.")
@as_json
@with_database
def accounts_reset(account_id: str, balance: str, as_json: bool) -> None:
    """End an account's live orders, write off its positions and set its balance; its tokens stay."""
    values = load(ResetSchema(), {"balance": balance})
    owner = identifier("account", account_id)
    record_action("account.reset", {"account_id": owner, **values}, address=COMMAND_LINE)
    show(as_json, AccountSchema(exclude=("unrealized_pnl",)).dump(reset_account(owner, values["balance"])))


@tokens.command("create")
@click.option("--account", "account_id", help="The account of the token; required for trade and read.")
@click.option("--scopes", required=True, help="trade,read with --account; feed,admin without it.")
@click.option("--expires-at", help="An RFC 3339 timestamp. Default: the token does not expire.")
@as_json
@with_database
def tokens_create(account_id: str | None, scopes: str, expires_at: str | None, as_json: bool) -> None:
    """Create a token, and print its secret, which cannot be shown again."""
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
@click.option("--bid", help="The best bid. Default: none; without bid and ask the price stands for both.")
@click.option("--ask", help="The best offer.")
@with_database
def quotes_set(exchange: str, symbol: str, last_price: str, bid: str | None, ask: str | None) -> None:
    """Set the last traded price of a stock, and its book; an unknown stock is created.

    Workers fill the orders that the quote matches.
    """
    values = {"exchange": exchange, "symbol": symbol, "lastPrice": last_price, "bidPrice": bid, "askPrice": ask}
    quote = load(QuoteSchema(), {name: value for name, value in values.items() if value is not None})
    reception = receive_quotes([GivenQuote(**quote)], MarketRules.of(current_app.config["SETTINGS"]))
    for refusal in reception.not_matched:
        click.echo(f"matches nothing: {refusal.outcome}", err=True)


@orders.command("sweep")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@as_json
@with_database
def orders_sweep(limit: int, as_json: bool) -> None:
    """Execute due orders in this process, the longest due first."""
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
    """Check the ledger of every account against the rules; list each violation, and exit 1 if there is one."""
    violations = [{"accountId": str(item.account_id), "rule": item.rule, "detail": item.detail} for item in verify()]
    if as_json or violations:
        show(as_json, violations)
    else:
        click.echo("No violations: the books are right.")
    if violations:
        fail(f"violations: {len(violations)}")


@db.command("upgrade")
@with_database
def db_upgrade() -> None:
    """Apply the missing migrations, and make the missing sessions of MARKET_CALENDAR."""
    try:
        for name in migrate.upgrade():
            click.echo(f"applied {name}")
        tell_of_missing_sessions()
    except ProgrammingError as error:
        fail(
            f"A migration conflicts with tables that exist ({str(error).splitlines()[0]}):"
            " give Tradepost a database of its own."
        )


@db.command("status")
@as_json
@with_database
def db_status(as_json: bool) -> None:
    """List the migrations, each with the time when it was applied."""
    rows = [
        {"name": name, "appliedAt": format_timestamp(applied_at) if applied_at else None}
        for name, applied_at in migrate.status()
    ]
    show(as_json, rows)


@db.command("prune")
@as_json
@with_database
def db_prune(as_json: bool) -> None:
    """Delete expired events, idempotency keys and recorded prices.

    Workers do the same by themselves.
    """
    show(as_json, delete_what_is_old()._asdict())
