"""The account, its fund ledger and its tokens."""

from typing import Any
from uuid import UUID

from flask import Response

from models.database import session
from schemas.accounts import AccountSchema
from schemas.pages import AccountChoiceSchema
from schemas.tokens import AccountTokenListSchema, TokenPageSchema
from schemas.transactions import TransactionListSchema, TransactionPageSchema
from trading.accounts.ledgers import ENTRIES
from trading.accounts.portfolio import ValuedAccount, find_valued_account
from trading.rules.errors import NotFound

from .http.authentication import current_principal, existing_account_session, requested_account_id, requires
from .http.pagination import Keyset, fetch_page, read_integer
from .http.parsing import Blueprint
from .http.responses import respond
from .tokens import OF_ACCOUNT, token_page

blueprint = Blueprint("account", __name__, url_prefix="/api/trading", description="Account, fund ledger and tokens")

ACCOUNT, TRANSACTION_PAGE, TOKEN_PAGE = AccountSchema(), TransactionPageSchema(), TokenPageSchema()
NEWEST_FIRST = Keyset({"id": read_integer})


def read_account(account_id: UUID) -> ValuedAccount:
    """Return an account's row with its unrealised profit, or refuse; opens its own session."""
    with session():
        row = find_valued_account(account_id)
    if row is None:
        raise NotFound
    return row


@blueprint.get("/account")
@requires("read", "admin")
@blueprint.arguments(AccountChoiceSchema(), location="query")
@blueprint.response(200, ACCOUNT)
def read(query: dict[str, Any]) -> Response:
    """Read the account, and the scopes of the token.

    `availableMargin` is the money for new orders and withdrawals: `balance` less `blockedMargin`.
    """
    row = read_account(requested_account_id(query["account_id"]))
    return respond(ACCOUNT, {**row, "scopes": sorted(current_principal().scopes)})


@blueprint.get("/transactions")
@requires("read", "admin")
@blueprint.arguments(TransactionListSchema(), location="query")
@blueprint.response(200, TRANSACTION_PAGE)
def list_transactions(query: dict[str, Any]) -> Response:
    """List the entries of the fund ledger, newest first.

    Each change of the balance or of the blocked margin is an entry. The entries are never changed: their sums, in the
    order of their ids, are `balanceAfter` and `blockedAfter`.
    """
    with existing_account_session(query["account_id"]) as account_id:
        where = {
            "account_id = %s": account_id,
            "order_id = %s": query["order_id"],
            "kind = %s": query["kind"],
        }
        page = fetch_page(ENTRIES, where, NEWEST_FIRST, limit=query["limit"], cursor=query["cursor"])
    return respond(TRANSACTION_PAGE, page)


@blueprint.get("/tokens")
@requires("read", "admin")
@blueprint.arguments(AccountTokenListSchema(), location="query")
@blueprint.response(200, TOKEN_PAGE)
def list_tokens(query: dict[str, Any]) -> Response:
    """List the tokens of the account, the newest first; no response shows their secrets again.

    Revoked and expired tokens are listed with `ended=true` only.
    """
    with existing_account_session(query["account_id"]) as account_id:
        page = token_page({OF_ACCOUNT: account_id}, query)
    return respond(TOKEN_PAGE, page)
