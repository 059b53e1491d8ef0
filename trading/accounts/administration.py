"""Open accounts, deposit and withdraw money, suspend, activate and rename accounts, choose their fill models."""

from collections.abc import Mapping
from decimal import Decimal
from typing import cast
from uuid import UUID

from models import Account, buckets
from models.database import transactional
from models.identifiers import new_id
from models.rows import AccountRow, LedgerRow
from trading.accounts.idempotency import IdempotencyKey, find_answer, keep_answer
from trading.accounts.ledgers import lock_ledgers, newest_entry, save_ledgers
from trading.accounts.reading import find_account
from trading.accounts.shares import within_share
from trading.events import publishing
from trading.rules.errors import InsufficientMargin, NotFound
from trading.rules.money import ZERO
from trading.rules.terms import AccountStatus, FillModel, LedgerKind


def create_account(name: str, opening_balance: Decimal = ZERO, *, fill_model: str = FillModel.IMMEDIATE) -> AccountRow:
    """Open an ACTIVE account with a deposit of opening_balance ≥ 0 rupees and return its row."""
    account_id = new_id()
    with buckets.of(account_id):
        account = _create(account_id, name, opening_balance, fill_model)
    publishing.nudge([account_id])
    return account


@within_share
def move_funds(
    account_id: UUID, kind: LedgerKind, amount: Decimal, *, idempotency_key: IdempotencyKey | None = None
) -> tuple[LedgerRow, bool]:
    """Post a DEPOSIT or WITHDRAWAL of amount > 0 rupees; return its ledger entry, and True if it is a replay.

    A replay returns the entry of the first request with the same key. Raises NotFound, InsufficientMargin for a
    withdrawal above the available margin, IdempotencyConflict or IdempotencyInProgress.
    """
    entry, is_replay = _move(account_id, kind, amount, idempotency_key)
    if not is_replay:
        publishing.nudge([account_id])
    return entry, is_replay


def set_status(account_id: UUID, status: AccountStatus) -> AccountRow:
    """Set an account's status and return its row; raises NotFound."""
    return change_account(account_id, {"status": status})


def rename(account_id: UUID, name: str) -> AccountRow:
    """Give an account another name of 1 to 100 characters and return its row; raises NotFound."""
    return change_account(account_id, {"name": name})


@within_share
def change_account(account_id: UUID, changes: Mapping[str, str]) -> AccountRow:
    """Set an account's name, status and fill model, those given by column, and return its row; raises NotFound.

    Orders that were accepted before keep the fill model with which they were placed.
    """
    account = _change(account_id, changes)
    publishing.nudge([account_id])
    return account


@transactional
def _create(account_id: UUID, name: str, opening_balance: Decimal, fill_model: str) -> AccountRow:
    Account.insert(id=account_id, name=name, fill_model=fill_model).execute()
    _post(account_id, LedgerKind.DEPOSIT, opening_balance)
    return _account(account_id)


@transactional
def _move(account_id: UUID, kind: LedgerKind, amount: Decimal, key: IdempotencyKey | None) -> tuple[LedgerRow, bool]:
    answer = find_answer(account_id, key)
    if answer is not None:
        return cast(LedgerRow, answer), True
    _post(account_id, kind, amount)
    entry = newest_entry(account_id)
    assert entry is not None  # amount > 0 always leaves an entry, and the account is locked
    keep_answer(account_id, key, "fund_transaction", entry["id"])
    return entry, False


@transactional
def _change(account_id: UUID, changes: Mapping[str, str]) -> AccountRow:
    Account.update(**changes).where(Account.id == account_id).execute()
    return _account(account_id)


def _post(account_id: UUID, kind: LedgerKind, amount: Decimal) -> None:
    ledger = lock_ledgers([account_id]).get(account_id)
    if ledger is None:
        raise NotFound
    if kind == LedgerKind.WITHDRAWAL and amount > ledger.available_margin:
        raise InsufficientMargin(required=amount, available=ledger.available_margin)
    ledger.post(kind, amount)
    save_ledgers([ledger])


def _account(account_id: UUID) -> AccountRow:
    account = find_account(account_id)
    if account is None:
        raise NotFound
    return account
