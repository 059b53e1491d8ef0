"""Read accounts; each function opens a session or joins the open one."""

from uuid import UUID

from models import Account
from models.database import fetch_all, fetch_one, session
from models.rows import AccountRow


def find_account(account_id: UUID) -> AccountRow | None:
    """Return an account's row, or None."""
    with session():
        return fetch_one(*Account.select().where(Account.id == account_id).sql(), AccountRow)


def account_exists(account_id: UUID) -> bool:
    """Return True if there is an account with this id."""
    with session():
        return bool(Account.select().where(Account.id == account_id).exists())


def list_accounts() -> list[AccountRow]:
    """Return the rows of all accounts, oldest first."""
    with session():
        return fetch_all(*Account.select().order_by(Account.id).sql(), AccountRow)
