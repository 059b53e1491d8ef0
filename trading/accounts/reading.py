"""Read accounts; each function opens a session or joins the open one."""

from operator import itemgetter
from uuid import UUID

from models import Account
from models.database import fetch_all, fetch_one, session
from models.routing import by_account, session_of_all
from models.rows import AccountRow
from models.spanning import each_in_transaction

# The start of a list of accounts; the caller adds its conditions.
ACCOUNTS = "SELECT * FROM account"
NAME_CONTAINS = "name ILIKE %s"
WILDCARDS = str.maketrans({sign: rf"\{sign}" for sign in r"\%_"})


@by_account
def find_account(account_id: UUID) -> AccountRow | None:
    """Return an account's row, or None."""
    with session():
        return fetch_one(*Account.select().where(Account.id == account_id).sql(), AccountRow)


@by_account
def account_exists(account_id: UUID) -> bool:
    """Return True if there is an account with this id."""
    with session():
        return bool(Account.select().where(Account.id == account_id).exists())


def containing(text: str) -> str:
    """Return the value of NAME_CONTAINS for names with a text in them, in whatever case."""
    return f"%{text.translate(WILDCARDS)}%"


def list_accounts(
    search: str | None = None, *, after: UUID | None = None, limit: int | None = None
) -> list[AccountRow]:
    """Return the rows of all accounts, oldest first: those with a text in their name, those behind one, a number."""
    conditions = {NAME_CONTAINS: None if search is None else containing(search), "id > %s": after}
    given = {condition: value for condition, value in conditions.items() if value is not None}
    sql = f"{ACCOUNTS} WHERE {' AND '.join(given) or 'true'} ORDER BY id LIMIT %s"
    rows = list[AccountRow]()
    with session_of_all():
        for _ in each_in_transaction():
            rows += fetch_all(sql, (*given.values(), limit), AccountRow)
    return sorted(rows, key=itemgetter("id"))[:limit]
