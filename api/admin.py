"""Accounts, funds and tokens, for administrators."""

from typing import Any
from uuid import UUID

from flask import Response, current_app

from models.database import session
from schemas.accounts import AccountPageSchema, AccountSchema
from schemas.admin import (
    AccountChangeSchema,
    AccountCreationSchema,
    AccountSearchSchema,
    FundsSchema,
    ResetSchema,
    TokenCreationSchema,
    TokenSchema,
)
from schemas.calendars import CALENDARS
from schemas.fields import parse_day
from schemas.tokens import TokenListSchema, TokenPageSchema
from schemas.transactions import TransactionSchema
from trading.accounts.administration import change_account, create_account, move_funds
from trading.accounts.reading import ACCOUNTS, NAME_CONTAINS, containing
from trading.accounts.tokens import create_token, revoke_token
from trading.day.reset import reset_account
from trading.market.calendars import remove_holiday
from trading.rules.errors import NothingThere

from .account import read_account
from .http.audit import audit
from .http.authentication import existing_account_session, requires
from .http.description import IDEMPOTENCY_KEY, LOCATION, described, leads_to
from .http.idempotency import idempotency_key, mark_replayed
from .http.pagination import fetch_page_of_all
from .http.parsing import Blueprint, takes_no_query
from .http.responses import no_content, respond
from .http.token_cache import token_cache
from .tokens import BY_ID, OF_ACCOUNT, OF_NO_ACCOUNT, token_page

blueprint = Blueprint("admin", __name__, url_prefix="/api/admin", description="Accounts, funds and tokens")

ACCOUNT, TRANSACTION, TOKEN = AccountSchema(), TransactionSchema(), TokenSchema()
ACCOUNT_PAGE, TOKEN_PAGE = AccountPageSchema(), TokenPageSchema()


@blueprint.post("/accounts")
@requires("admin")
@blueprint.arguments(AccountCreationSchema())
@blueprint.response(201, ACCOUNT, headers=LOCATION)
@described(
    responses={
        201: leads_to(
            "account_id", "tradingAccountId", "adminRead", "adminChangeStatus", "adminAddFunds", "adminAddToken"
        )
    }
)
def create(body: dict[str, Any]) -> Response:
    """Create an account with its opening balance.

    The account has no token yet: create one with `POST /api/admin/accounts/{account_id}/tokens`.
    """
    audit("account.create", body)
    fill_model = body["fill_model"] or current_app.config["SETTINGS"].fill_model
    account_id = create_account(body["name"], body["opening_balance"], fill_model=fill_model)["id"]
    return respond(ACCOUNT, read_account(account_id), 201, {"Location": f"/api/admin/accounts/{account_id}"})


@blueprint.get("/accounts")
@requires("admin")
@blueprint.arguments(AccountSearchSchema(), location="query")
@blueprint.response(200, ACCOUNT_PAGE)
def list_accounts(query: dict[str, Any]) -> Response:
    """List accounts, the newest first: all of them, or those with a text in their name.

    The list has no unrealised profits; `GET /api/admin/accounts/{account_id}` has that of an account.
    """
    where = {
        NAME_CONTAINS: None if query["search"] is None else containing(query["search"]),
        "status = %s": query["status"],
    }
    page = fetch_page_of_all(ACCOUNTS, where, BY_ID, limit=query["limit"], cursor=query["cursor"])
    return respond(ACCOUNT_PAGE, page)


@blueprint.get("/accounts/<opaque_uuid:account_id>")
@requires("admin")
@takes_no_query
@blueprint.response(200, ACCOUNT)
def read(account_id: UUID) -> Response:
    """Read an account.

    Its orders, positions and ledger are read under `/api/trading`, with `tradingAccountId` in the query.
    """
    return respond(ACCOUNT, read_account(account_id))


@blueprint.patch("/accounts/<opaque_uuid:account_id>")
@requires("admin")
@blueprint.arguments(AccountChangeSchema())
@blueprint.response(200, ACCOUNT)
def change_status(body: dict[str, Any], account_id: UUID) -> Response:
    """Rename, suspend or reactivate an account, or choose its fill model; accepted orders are not affected.

    A suspended account may not place, close, convert or modify. Cancellations, funds and accepted orders go on.
    """
    audit("account.rename" if body.keys() == {"name"} else "account.status", {"account_id": account_id, **body})
    change_account(account_id, body)
    return respond(ACCOUNT, read_account(account_id))


@blueprint.post("/accounts/<opaque_uuid:account_id>/reset")
@requires("admin")
@blueprint.arguments(ResetSchema())
@blueprint.response(200, ACCOUNT)
def reset(body: dict[str, Any], account_id: UUID) -> Response:
    """End an account's live orders, write off its positions and set its balance; tokens and the ledger stay.

    An order that the market has traded already fills first.
    """
    audit("account.reset", {"account_id": account_id, **body})
    reset_account(account_id, body["balance"])
    return respond(ACCOUNT, read_account(account_id))


@blueprint.post("/accounts/<opaque_uuid:account_id>/funds")
@requires("admin")
@blueprint.arguments(FundsSchema())
@blueprint.response(201, TRANSACTION, headers=LOCATION)
@described(problems=("insufficient_margin",), headers=(IDEMPOTENCY_KEY,))
def add_funds(body: dict[str, Any], account_id: UUID) -> Response:
    """Deposit or withdraw money; a withdrawal is limited to the available margin.

    Send an `Idempotency-Key`, so that a retry does not move the money twice.
    """
    audit("account.funds", {"account_id": account_id, **body})
    key = idempotency_key(body)
    row, is_replay = move_funds(account_id, body["kind"], body["amount"], idempotency_key=key)
    ledger = f"/api/trading/transactions?tradingAccountId={account_id}&kind={row['kind']}"
    response = respond(TRANSACTION, row, 201, {"Location": ledger})
    return mark_replayed(response) if is_replay else response


@blueprint.get("/accounts/<opaque_uuid:account_id>/tokens")
@requires("admin")
@blueprint.arguments(TokenListSchema(), location="query")
@blueprint.response(200, TOKEN_PAGE)
def list_account_tokens(query: dict[str, Any], account_id: UUID) -> Response:
    """List the tokens of an account, the newest first; no response shows their secrets again.

    Revoked and expired tokens are listed with `ended=true` only.
    """
    with existing_account_session(account_id):
        page = token_page({OF_ACCOUNT: account_id}, query)
    return respond(TOKEN_PAGE, page)


@blueprint.post("/accounts/<opaque_uuid:account_id>/tokens")
@requires("admin")
@blueprint.arguments(TokenCreationSchema())
@blueprint.response(201, TOKEN, headers=LOCATION)
@described(responses={201: leads_to("token_id", "tokenId", "adminDeleteToken")})
def add_token(body: dict[str, Any], account_id: UUID) -> Response:
    """Create a token for an account; no later response shows its secret.

    Only a digest of the secret is stored. Send the secret as `Authorization: Bearer …`.
    """
    audit("token.create", {"account_id": account_id, **body})
    token_id, secret = create_token(body["scopes"], account_id=account_id, expires_at=body["expires_at"])
    return respond(TOKEN, {"token_id": token_id, "token": secret}, 201, {"Location": f"/api/admin/tokens/{token_id}"})


@blueprint.get("/tokens")
@requires("admin")
@blueprint.arguments(TokenListSchema(), location="query")
@blueprint.response(200, TOKEN_PAGE)
def list_service_tokens(query: dict[str, Any]) -> Response:
    """List the tokens that belong to no account (the scopes `feed` and `admin`), the newest first.

    Revoked and expired tokens are listed with `ended=true` only.
    """
    with session():
        page = token_page({OF_NO_ACCOUNT: True}, query)
    return respond(TOKEN_PAGE, page)


@blueprint.delete("/tokens/<opaque_uuid:token_id>")
@requires("admin")
@takes_no_query
@blueprint.response(204)
def delete_token(token_id: UUID) -> Response:
    """Revoke a token; every process refuses it within 5 s.

    Streams that were opened with it end. A token that is revoked already is revoked again without effect.
    """
    audit("token.revoke", {"token_id": token_id})
    revoke_token(token_id)
    token_cache.forget()  # this process refuses it at once
    return no_content()


@blueprint.delete("/holidays/<calendar>/<day>")
@requires("admin")
@takes_no_query
@blueprint.response(204)
def delete_holiday(calendar: str, day: str) -> Response:
    """Remove a holiday, so that the day is traded, or settled; every process knows it within a minute.

    A weekday of a calendar that has sessions around it gets its regular sessions. Orders that were placed before keep
    the end that they have.
    """
    given = parse_day(day)
    if calendar not in CALENDARS or given is None:
        raise NothingThere
    audit("holiday.remove", {"calendar": calendar, "day": day})
    remove_holiday(calendar, given)
    return no_content()
