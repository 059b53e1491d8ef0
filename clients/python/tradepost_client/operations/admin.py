"""Accounts, funds, tokens and holidays, with a token of the scope `admin`."""

from collections.abc import Sequence
from datetime import date, datetime

from tradepost_client.calls import Call, Listing, listing, nothing, once, one, path
from tradepost_client.shapes.accounts import Account, ListedAccount, NewToken, Token, Transaction
from tradepost_client.terms import AccountScope, AccountStatus, Amount, FillModel, FundsKind

ACCOUNTS = "/api/admin/accounts"
ACCOUNT = ACCOUNTS + "/{}"


def create_account(name: str, opening_balance: Amount, *, fill_model: FillModel | None = None) -> Call[Account]:
    """Create an account; it is not sent again after a lost answer, because that would create two."""
    body = {"name": name, "opening_balance": opening_balance, "fill_model": fill_model}
    return Call("POST", ACCOUNTS, one(Account), body=body, is_repeatable=False)


def accounts(
    *, search: str | None = None, status: AccountStatus | None = None, limit: int = 200
) -> Listing[ListedAccount]:
    """List accounts, newest first: all of them, or those with a text in their name; limit is the size of a page."""
    query = {"search": search, "status": status, "limit": limit}
    return listing(ListedAccount, ACCOUNTS, query, account_in=None)


def account(account_id: str) -> Call[Account]:
    """Read an account."""
    return Call("GET", path(ACCOUNT, account_id), one(Account))


def change_account(
    account_id: str,
    *,
    name: str | None = None,
    status: AccountStatus | None = None,
    fill_model: FillModel | None = None,
) -> Call[Account]:
    """Rename, suspend or reactivate an account, or choose how its new orders fill."""
    body = {"name": name, "status": status, "fill_model": fill_model}
    return Call("PATCH", path(ACCOUNT, account_id), one(Account), body=body)


def reset_account(account_id: str, balance: Amount) -> Call[Account]:
    """End an account's orders, write off its positions and set its balance.

    It is not sent again after a lost answer: the account may have traded since.
    """
    return Call(
        "POST", path(ACCOUNT + "/reset", account_id), one(Account), body={"balance": balance}, is_repeatable=False
    )


def add_funds(
    account_id: str, kind: FundsKind, amount: Amount, *, idempotency_key: str | None = None
) -> Call[Transaction]:
    """Deposit or withdraw money, exactly once even if the answer is lost."""
    return Call(
        "POST",
        path(ACCOUNT + "/funds", account_id),
        one(Transaction),
        body={"kind": kind, "amount": amount},
        headers=once(idempotency_key),
    )


def create_token(
    account_id: str, scopes: Sequence[AccountScope], *, expires_at: datetime | None = None
) -> Call[NewToken]:
    """Create a token of an account; it is not sent again after a lost answer, because that would create two."""
    body = {"scopes": scopes, "expires_at": expires_at}
    return Call("POST", path(ACCOUNT + "/tokens", account_id), one(NewToken), body=body, is_repeatable=False)


def tokens_of_account(account_id: str, *, ended: bool = False, limit: int = 200) -> Listing[Token]:
    """List an account's tokens, newest first; with `ended` the revoked and expired ones too."""
    return listing(Token, path(ACCOUNT + "/tokens", account_id), {"ended": ended, "limit": limit}, account_in=None)


def tokens(*, ended: bool = False, limit: int = 200) -> Listing[Token]:
    """List the tokens that belong to no account, newest first; with `ended` the revoked and expired ones too."""
    return listing(Token, "/api/admin/tokens", {"ended": ended, "limit": limit}, account_in=None)


def revoke_token(token_id: str) -> Call[None]:
    """Revoke a token; every process refuses it within 5 s."""
    return Call("DELETE", path("/api/admin/tokens/{}", token_id), nothing)


def remove_holiday(calendar: str, day: date) -> Call[None]:
    """Remove a holiday of a calendar such as `NSE`, so that the day is traded, or settled."""
    return Call("DELETE", path("/api/admin/holidays/{}/{}", calendar, day.isoformat()), nothing, is_repeatable=False)
