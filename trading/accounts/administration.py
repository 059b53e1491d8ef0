"""Open accounts, move their funds, suspend them."""

from decimal import Decimal
from uuid import UUID

from models.database import Row, execute, fetch_one, transactional
from models.identifiers import new_id
from trading.accounts.idempotency import IdempotencyKey, find_answer, keep_answer
from trading.accounts.ledgers import lock_ledgers, save_ledgers
from trading.accounts.shares import within_share
from trading.events import publishing
from trading.rules.errors import InsufficientMargin, NotFound
from trading.rules.money import ZERO
from trading.rules.terms import LedgerKind


def create_account(name: str, opening_balance: Decimal = ZERO) -> Row:
    """Open an ACTIVE account with a deposit of opening_balance ≥ 0 rupees and return its row."""
    account = _create(name, opening_balance)
    publishing.nudge([account["id"]])
    return account


@within_share
def move_funds(
    account_id: UUID, kind: str, amount: Decimal, *, idempotency_key: IdempotencyKey | None = None
) -> tuple[Row, bool]:
    """Post a DEPOSIT or WITHDRAWAL of amount > 0 rupees; return its ledger row and whether it was answered before.

    Raises NotFound, InsufficientMargin for a withdrawal above the available margin,
    IdempotencyConflict or IdempotencyInProgress.
    """
    entry, is_replay = _move(account_id, kind, amount, idempotency_key)
    if not is_replay:
        publishing.nudge([account_id])
    return entry, is_replay


@within_share
def set_status(account_id: UUID, status: str) -> Row:
    """Make an account ACTIVE or SUSPENDED and return its row; raises NotFound."""
    account = _set_status(account_id, status)
    publishing.nudge([account_id])
    return account


@transactional
def _create(name: str, opening_balance: Decimal) -> Row:
    account_id = new_id()
    execute("INSERT INTO account (id, name) VALUES (%s, %s)", (account_id, name))
    _post(account_id, "DEPOSIT", opening_balance)
    return _account(account_id)


@transactional
def _move(account_id: UUID, kind: str, amount: Decimal, key: IdempotencyKey | None) -> tuple[Row, bool]:
    answer = find_answer(account_id, key)
    if answer is not None:
        return answer, True
    _post(account_id, kind, amount)
    entry = fetch_one("SELECT * FROM fund_transaction WHERE account_id = %s ORDER BY id DESC LIMIT 1", (account_id,))
    assert entry is not None  # amount > 0 always leaves a row, and the account is locked
    keep_answer(account_id, key, "fund_transaction", entry["id"])
    return entry, False


@transactional
def _set_status(account_id: UUID, status: str) -> Row:
    execute("UPDATE account SET status = %s WHERE id = %s", (status, account_id))
    return _account(account_id)


def _post(account_id: UUID, kind: str, amount: Decimal) -> None:
    ledger = lock_ledgers([account_id]).get(account_id)
    if ledger is None:
        raise NotFound
    if kind == "WITHDRAWAL" and amount > ledger.available_margin:
        raise InsufficientMargin(required=amount, available=ledger.available_margin)
    ledger.post(LedgerKind(kind), amount)
    save_ledgers([ledger])


def _account(account_id: UUID) -> Row:
    account = fetch_one("SELECT * FROM account WHERE id = %s", (account_id,))
    if account is None:
        raise NotFound
    return account
