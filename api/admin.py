"""Accounts, funds and tokens, for administrators."""

from typing import Any
from uuid import UUID

from flask import Response, current_app

from schemas.accounts import AccountSchema
from schemas.admin import (
    AccountChangeSchema,
    AccountCreationSchema,
    FundsSchema,
    ResetSchema,
    TokenCreationSchema,
    TokenSchema,
)
from schemas.transactions import TransactionSchema
from trading.accounts.administration import change_account, create_account, move_funds
from trading.accounts.tokens import create_token, revoke_token
from trading.day.reset import reset_account

from .account import read_account
from .http.audit import audit
from .http.authentication import requires
from .http.description import IDEMPOTENCY_KEY, LOCATION, described, leads_to
from .http.idempotency import idempotency_key, mark_replayed
from .http.parsing import Blueprint, takes_no_query
from .http.responses import respond
from .http.token_cache import token_cache

blueprint = Blueprint("admin", __name__, url_prefix="/api/admin", description="Accounts, funds and tokens")

ACCOUNT, TRANSACTION, TOKEN = AccountSchema(), TransactionSchema(), TokenSchema()


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
    """Suspend or reactivate an account, or choose its fill model; accepted orders are not affected.

    A suspended account may not place, close, convert or modify. Cancellations, funds and accepted orders go on.
    """
    audit("account.status", {"account_id": account_id, **body})
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
    return Response(status=204)
