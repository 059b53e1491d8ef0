"""The query parameters that lists share."""

from .base import StrictSchema
from .examples import ACCOUNT_ID
from .fields import Identifier, Text, WholeParameter

MAX_LIMIT = 200
LIMIT_DEFAULT = 50


class AccountChoiceSchema(StrictSchema):
    """Name the account that an admin token speaks for."""

    account_id = Identifier(
        data_key="tradingAccountId",
        load_default=None,
        metadata={
            "example": ACCOUNT_ID,
            "description": "Required with an admin token; an account token may only name its own account.",
        },
    )


class ListSchema(StrictSchema):
    """Ask for one page of a list."""

    limit = WholeParameter(
        minimum=1, maximum=MAX_LIMIT, load_default=LIMIT_DEFAULT, metadata={"example": LIMIT_DEFAULT}
    )
    cursor = Text(
        maximum=512,
        load_default=None,
        metadata={"example": "WzEyM10", "description": "`nextCursor` of the page before; opaque."},
    )


class AccountListSchema(AccountChoiceSchema, ListSchema):
    """Ask for one page of a list of an account's things."""
