"""The commands on accounts."""

import click
from flask import current_app
from flask.cli import AppGroup

from api.account import read_account
from schemas.accounts import ACCOUNT_SCOPES, AccountSchema
from schemas.admin import AccountCreationSchema, FundsSchema, ResetSchema
from schemas.transactions import TransactionSchema
from trading.accounts import administration
from trading.accounts.reading import list_accounts
from trading.accounts.tokens import create_token
from trading.day.reset import reset_account
from trading.rules.terms import AccountStatus

from .command_input import identifier, is_typed, load, record
from .failures import with_database
from .output import Columns, as_json, show
from .progress import patience

accounts = AppGroup("accounts", help="Create, list, fund, suspend, rename and reset accounts.")

ACCOUNT, TRANSACTION = AccountSchema(exclude=("unrealized_pnl", "scopes")), TransactionSchema()
VALUED_ACCOUNT = AccountSchema(exclude=("scopes",))
COLUMNS: Columns = {
    "ACCOUNT": "tradingAccountId",
    "NAME": "name",
    "BALANCE": "balance",
    "AVAILABLE": "availableMargin",
    "BLOCKED": "blockedMargin",
    "REALISED": "realizedPnl",
    "STATUS": "status",
    "FILLS": "fillModel",
}

account_argument = click.argument("account_id", metavar="ACCOUNT")


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
    record("account.create", values)
    chosen = values["fill_model"] or current_app.config["SETTINGS"].fill_model
    account_id = administration.create_account(values["name"], values["opening_balance"], fill_model=chosen)["id"]
    token_id, secret = create_token(ACCOUNT_SCOPES, account_id=account_id)
    show(as_json, {"accountId": str(account_id), "token": secret, "tokenId": str(token_id)})


@accounts.command("list")
@click.option("--search", help="A part of the name.")
@click.option("--limit", type=click.IntRange(1), help="Default: all.")
@as_json
@with_database
def accounts_list(search: str | None, limit: int | None, as_json: bool) -> None:
    """List accounts, oldest first."""
    show(as_json, ACCOUNT.dump(list_accounts(search, limit=limit), many=True), COLUMNS)


@accounts.command("show")
@account_argument
@as_json
@with_database
def accounts_show(account_id: str, as_json: bool) -> None:
    """Show an account with its money, in rupees, and with its profit at the last prices."""
    show(as_json, VALUED_ACCOUNT.dump(read_account(identifier("account", account_id))))


@accounts.command("deposit")
@account_argument
@click.argument("amount")
@as_json
@with_database
def accounts_deposit(account_id: str, amount: str, as_json: bool) -> None:
    """Deposit an amount of rupees into an account."""
    _move_funds("DEPOSIT", account_id, amount, as_json)


@accounts.command("withdraw")
@account_argument
@click.argument("amount")
@as_json
@with_database
def accounts_withdraw(account_id: str, amount: str, as_json: bool) -> None:
    """Withdraw an amount of rupees, at most the available margin."""
    _move_funds("WITHDRAWAL", account_id, amount, as_json)


@accounts.command("suspend")
@account_argument
@as_json
@with_database
def accounts_suspend(account_id: str, as_json: bool) -> None:
    """Let an account place no more orders; its accepted orders go on."""
    _set_status(account_id, AccountStatus.SUSPENDED, as_json)


@accounts.command("resume")
@account_argument
@as_json
@with_database
def accounts_resume(account_id: str, as_json: bool) -> None:
    """Let a suspended account place orders again."""
    _set_status(account_id, AccountStatus.ACTIVE, as_json)


@accounts.command("rename")
@account_argument
@click.argument("name")
@as_json
@with_database
def accounts_rename(account_id: str, name: str, as_json: bool) -> None:
    """Give an account another name."""
    owner, values = identifier("account", account_id), load(AccountCreationSchema(only=("name",)), {"name": name})
    record("account.rename", {"account_id": owner, **values})
    show(as_json, ACCOUNT.dump(administration.rename(owner, values["name"])))


@accounts.command("reset")
@account_argument
@click.option("--balance", required=True, help="The balance afterwards, in rupees.")
@click.option("--yes", "is_sure", is_flag=True, help="Ask nothing.")
@as_json
@with_database
def accounts_reset(account_id: str, balance: str, is_sure: bool, as_json: bool) -> None:
    """End an account's live orders, write off its positions and set its balance; its tokens stay.

    On a terminal the command asks first.
    """
    values = load(ResetSchema(), {"balance": balance})
    owner = identifier("account", account_id)
    if not is_sure and is_typed():
        question = f"End the live orders of account {owner} and write off its positions?"
        click.confirm(question, abort=True, err=True)
    record("account.reset", {"account_id": owner, **values})
    with patience("resetting the account"):
        account = reset_account(owner, values["balance"])
    show(as_json, ACCOUNT.dump(account))


def _move_funds(kind: str, account_id: str, amount: str, as_json: bool) -> None:
    values = load(FundsSchema(), {"kind": kind, "amount": amount})
    owner = identifier("account", account_id)
    record("account.funds", {"account_id": owner, **values})
    row, _ = administration.move_funds(owner, values["kind"], values["amount"])
    show(as_json, TRANSACTION.dump(row))


def _set_status(account_id: str, status: AccountStatus, as_json: bool) -> None:
    owner = identifier("account", account_id)
    record("account.status", {"account_id": owner, "status": status})
    show(as_json, ACCOUNT.dump(administration.set_status(owner, status)))
