"""Lists of tokens."""

from marshmallow import fields

from .accounts import ACCOUNT_SCOPES, SERVICE_SCOPES
from .base import StrictSchema
from .examples import ACCOUNT_ID, MOMENT, TOKEN_ID
from .fields import Day, Identifier, Timestamp
from .pages import AccountListSchema, FlagParameter, ListSchema


def _ended() -> FlagParameter:
    return FlagParameter(
        load_default=False,
        metadata={"example": False, "description": "`true`: list the revoked and expired tokens too."},
    )


class TokenListSchema(ListSchema):
    """The query of a page of a list of tokens."""

    ended = _ended()


class AccountTokenListSchema(AccountListSchema):
    """The query of a page of the list of an account's tokens."""

    ended = _ended()


class ListedTokenSchema(StrictSchema):
    """A token without its secret, which only the answer to its creation contains."""

    id = Identifier(data_key="tokenId", metadata={"example": TOKEN_ID, "description": "The id, for its revocation."})
    account_id = Identifier(
        data_key="tradingAccountId",
        allow_none=True,
        metadata={"example": ACCOUNT_ID, "description": "The account; null for a token with the scope feed or admin."},
    )
    scopes = fields.List(
        fields.String(metadata={"enum": [*ACCOUNT_SCOPES, *SERVICE_SCOPES]}),
        metadata={"example": ["trade", "read"], "description": "The scopes of the token."},
    )
    created_at = Timestamp(
        data_key="createdAt", metadata={"example": MOMENT, "description": "The time at which it was made."}
    )
    expires_at = Timestamp(
        data_key="expiresAt",
        allow_none=True,
        metadata={"description": "The time at which it ends; null for a token that ends only by a revocation."},
    )
    revoked_at = Timestamp(
        data_key="revokedAt",
        allow_none=True,
        metadata={"description": "The time of its revocation; null if it is not revoked."},
    )
    last_used_on = Day(
        data_key="lastUsedOn",
        allow_none=True,
        metadata={
            "example": MOMENT[:10],
            "description": "The last day in India on which a request or a stream used it; null if none did. "
            "It is written after the day's first response, at most once a day (docs/security.md).",
        },
    )


class TokenPageSchema(StrictSchema):
    """A page of tokens, the newest first."""

    data = fields.List(fields.Nested(ListedTokenSchema), metadata={"description": "The tokens of this page."})
    next_cursor = fields.String(
        data_key="nextCursor",
        allow_none=True,
        metadata={"description": "The `cursor` of the next page; null on the last page."},
    )
