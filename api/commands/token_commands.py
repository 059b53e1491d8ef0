"""The commands on tokens."""

import click
from flask.cli import AppGroup

from schemas.admin import ServiceTokenCreationSchema, TokenCreationSchema
from schemas.tokens import ListedTokenSchema
from trading.accounts.tokens import create_token, revoke_token, tokens_of

from .command_input import identifier, load, record
from .failures import with_database
from .output import Columns, as_json, as_time, show, tell

tokens = AppGroup("tokens", help="Create, list and revoke API tokens.")

TOKEN = ListedTokenSchema()
COLUMNS: Columns = {
    "TOKEN ID": "tokenId",
    "SCOPES": lambda token: ",".join(token["scopes"]),
    "MADE (IST)": as_time("createdAt"),
    "EXPIRES (IST)": as_time("expiresAt"),
    "LAST USED": "lastUsedOn",
    "REVOKED (IST)": as_time("revokedAt"),
}


@tokens.command("create")
@click.option("--account", "account_id", help="The account of the token; required for trade and read.")
@click.option("--scopes", required=True, help="trade,read with --account; feed,admin without it.")
@click.option("--expires-at", help="An RFC 3339 timestamp. Default: the token does not expire.")
@as_json
@with_database
def tokens_create(account_id: str | None, scopes: str, expires_at: str | None, as_json: bool) -> None:
    """Create a token, and print its secret, which cannot be shown again."""
    schema = ServiceTokenCreationSchema() if account_id is None else TokenCreationSchema()
    values = load(schema, {"scopes": [scope.strip() for scope in scopes.split(",")], "expiresAt": expires_at})
    owner = None if account_id is None else identifier("account", account_id)
    record("token.create", {"account_id": owner, **values})
    token_id, secret = create_token(values["scopes"], account_id=owner, expires_at=values["expires_at"])
    show(as_json, {"tokenId": str(token_id), "token": secret})


@tokens.command("list")
@click.option("--account", "account_id", help="The account. Default: the tokens without one, for feed and admin.")
@click.option("--all", "with_ended", is_flag=True, help="List the revoked and expired ones too.")
@as_json
@with_database
def tokens_list(account_id: str | None, with_ended: bool, as_json: bool) -> None:
    """List tokens, the newest first, without their secrets; the last use is a day in India."""
    owner = None if account_id is None else identifier("account", account_id)
    found = tokens_of(owner, with_ended=with_ended)
    columns = COLUMNS if with_ended else {name: COLUMNS[name] for name in list(COLUMNS)[:-1]}
    show(as_json, TOKEN.dump(found, many=True), columns)


@tokens.command("revoke")
@click.argument("token_id", metavar="TOKEN_ID")
@as_json
@with_database
def tokens_revoke(token_id: str, as_json: bool) -> None:
    """Revoke a token; it stops working within 5 s."""
    revoked = identifier("tokenId", token_id)
    record("token.revoke", {"token_id": revoked})
    revoke_token(revoked)
    tell(as_json, f"{revoked} is revoked", {"tokenId": str(revoked)})
