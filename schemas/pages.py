"""The query parameters that several lists have."""

from typing import Any

from marshmallow import fields

from .base import StrictSchema
from .examples import ACCOUNT_ID
from .fields import Identifier, Text, WholeParameter

MAX_LIMIT = 200
LIMIT_DEFAULT = 50

NAMED_ACCOUNT = {"description": "Required with an admin token; an account token may only name its own account."}


class FlagParameter(fields.Boolean):
    """A boolean of a query string: `true` or `false`."""

    default_error_messages = {"invalid": "Must be true or false."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> bool:
        if value not in ("true", "false"):
            raise self.make_error("invalid")
        return bool(value == "true")


class AccountChoiceSchema(StrictSchema):
    """The account for which an admin token acts."""

    account_id = Identifier(
        data_key="tradingAccountId",
        load_default=None,
        metadata=NAMED_ACCOUNT | {"example": ACCOUNT_ID},
    )


class ListSchema(StrictSchema):
    """The query of a page of a list."""

    limit = WholeParameter(
        minimum=1, maximum=MAX_LIMIT, load_default=LIMIT_DEFAULT, metadata={"example": LIMIT_DEFAULT}
    )
    cursor = Text(
        maximum=512,
        load_default=None,
        metadata={"example": "WzEyM10", "description": "The `nextCursor` of the previous page; opaque."},
    )


class AccountListSchema(AccountChoiceSchema, ListSchema):
    """The query of a page of an account's list."""
