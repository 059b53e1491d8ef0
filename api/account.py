"""The account, its fund ledger and its tokens."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Response

from models.database import session
from models.routing import by_account
from schemas.accounts import AccountSchema, EquityQuerySchema, EquitySchema
from schemas.pages import AccountChoiceSchema
from schemas.tokens import AccountTokenListSchema, TokenPageSchema
from schemas.transactions import TransactionListSchema, TransactionPageSchema
from trading.accounts.ledgers import ENTRIES, first_entry_since
from trading.accounts.portfolio import ValuedAccount, find_valued_account
from trading.market.equity import BadRange, Range, equity_curve
from trading.rules.errors import NotFound

from .http.authentication import current_principal, existing_account_session, requested_account_id, requires
from .http.errors import invalid
from .http.exports import Listing, Query, exported
from .http.pagination import Keyset, read_integer
from .http.parsing import Blueprint
from .http.responses import respond
from .tokens import OF_ACCOUNT, token_page

blueprint = Blueprint("account", __name__, url_prefix="/api/trading", description="Account, fund ledger and tokens")

ACCOUNT, EQUITY = AccountSchema(), EquitySchema()
TRANSACTION_PAGE, TOKEN_PAGE = TransactionPageSchema(), TokenPageSchema()
# The step and the usual length of each interval.
RANGES = {
    "1m": Range(timedelta(minutes=1), timedelta(days=1)),
    "1h": Range(timedelta(hours=1), timedelta(days=7)),
    "1d": Range(timedelta(days=1), timedelta(days=365)),
}
TRANSACTION_LIST = Listing("transactions", Keyset({"id": read_integer}), TRANSACTION_PAGE)


@by_account
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


@blueprint.get("/account/equity")
@requires("read", "admin")
@blueprint.arguments(EquityQuerySchema(), location="query")
@blueprint.response(200, EQUITY)
def equity(query: dict[str, Any]) -> Response:
    """Read the account's equity over time, the oldest point first: the balance with the unrealised profit.

    The last point is the present one, unless `to` is past. Balances, quantities and costs are exact; the price of a
    stock is that which was recorded at the end of a minute, while somebody held the stock.
    """
    asked = RANGES[query["interval"]]._replace(since=query["since"], until=query["until"])
    try:
        points = equity_curve(requested_account_id(query["account_id"]), asked)
    except BadRange as error:
        raise invalid({"from": [str(error)]}) from None
    data = [{**point._asdict(), "equity": point.equity} for point in points]
    return respond(EQUITY, {"interval": query["interval"], "data": data})


@blueprint.get("/transactions")
@requires("read", "admin")
@blueprint.arguments(TransactionListSchema(), location="query")
@blueprint.response(200, TRANSACTION_PAGE)
@exported
def list_transactions(query: dict[str, Any]) -> Response:
    """List the entries of the fund ledger, newest first.

    Each change of the balance or of the blocked margin is an entry. The entries are never changed: their sums, in the
    order of their ids, are `balanceAfter` and `blockedAfter`.

    With `Accept: text/csv` the response has all of them, without `limit` and `cursor`.
    """
    with existing_account_session(query["account_id"]) as account_id:
        where = {
            "account_id = %s": account_id,
            "order_id = %s": query["order_id"],
            "kind = %s": query["kind"],
            "id >= %s": first_entry_since(account_id, query["created_from"]),
            "id < %s": first_entry_since(account_id, query["created_before"]),
        }
        found = TRANSACTION_LIST.find(Query(ENTRIES, where), query)
    return TRANSACTION_LIST.respond(account_id, found)


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
