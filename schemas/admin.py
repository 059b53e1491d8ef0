"""Requests of administrators and of the command line."""

from datetime import UTC, datetime
from typing import Any

from marshmallow import fields, validate, validates_schema
from marshmallow.exceptions import ValidationError

from .accounts import ACCOUNT_SCOPES, FILL_MODELS, SERVICE_SCOPES, STATUSES
from .base import StrictSchema
from .examples import TOKEN_ID
from .fields import CLEAN_PATTERN, Choice, GivenMoney, Identifier, Text, Timestamp
from .pages import ListSchema


def check_distinct(values: list[Any]) -> None:
    """Refuse a list that contains a value twice."""
    if len(set(values)) != len(values):
        raise ValidationError("Must not contain a value twice.")


def check_future(moment: datetime) -> None:
    """Refuse a moment that has passed."""
    if moment <= datetime.now(UTC):
        raise ValidationError("Must be in the future.")


def _account_name(**options: Any) -> Text:
    """Return the field of an account's name, which has more than blanks."""
    facts = {
        "example": "Asha",
        "pattern": rf"^{CLEAN_PATTERN}*[^\s\u0000-\u001f\u007f-\u009f]{CLEAN_PATTERN}*$",
        "description": "A name for people; several accounts may have the same one.",
    }
    return Text(maximum=100, pattern=r".*\S.*", metadata=facts, **options)


class AccountCreationSchema(StrictSchema):
    """The name and the opening balance of a new account."""

    name = _account_name(required=True)
    opening_balance = GivenMoney(
        data_key="openingBalance",
        allow_zero=True,
        required=True,
        metadata={"example": "1000000.00", "description": "The first deposit, in rupees."},
    )
    fill_model = Choice(
        *FILL_MODELS,
        data_key="fillModel",
        allow_none=True,
        load_default=None,
        metadata={"description": "How its orders fill; without it the server's FILL_MODEL applies."},
    )


class AccountSearchSchema(ListSchema):
    """The query of a page of the list of accounts."""

    search = Text(
        maximum=100,
        load_default=None,
        metadata={"example": "ash", "description": "Any part of the name, in whatever case."},
    )
    status = Choice(*STATUSES, load_default=None, metadata={"description": "Only accounts of this status."})


class AccountChangeSchema(StrictSchema):
    """The new name, status or fill model of an account; an omitted member stays unchanged."""

    name = _account_name()
    status = Choice(*STATUSES, metadata={"description": "A SUSPENDED account places no orders."})
    fill_model = Choice(
        *FILL_MODELS,
        data_key="fillModel",
        metadata={"description": "How new orders fill; accepted orders keep the fill model that they have."},
    )

    @validates_schema
    def check_change(self, data: dict[str, Any], **_: Any) -> None:
        """Require a change."""
        if not data:
            raise ValidationError("A name, a status or a fillModel is required.", "status")


class FundsSchema(StrictSchema):
    """A deposit or a withdrawal."""

    kind = Choice("DEPOSIT", "WITHDRAWAL", required=True, metadata={"description": "Whether the money comes or goes."})
    amount = GivenMoney(required=True, metadata={"example": "5000.00", "description": "The amount in rupees."})


class ResetSchema(StrictSchema):
    """The balance of an account after its reset."""

    balance = GivenMoney(
        allow_zero=True,
        required=True,
        metadata={"example": "1000000.00", "description": "The balance after the reset, in rupees."},
    )


class TokenCreationSchema(StrictSchema):
    """The scopes and the end of a new token of an account."""

    scopes = fields.List(
        Choice(*ACCOUNT_SCOPES),
        required=True,
        metadata={"uniqueItems": True, "example": ["trade", "read"], "description": "The rights of the token."},
        validate=[validate.Length(min=1, error="Must contain a scope."), check_distinct],
    )
    expires_at = Timestamp(
        data_key="expiresAt",
        allow_none=True,
        load_default=None,
        validate=check_future,
        metadata={"description": "The end of the token; without it the token is valid until it is revoked."},
    )


class ServiceTokenCreationSchema(TokenCreationSchema):
    """The scopes and the end of a new token without an account."""

    scopes = fields.List(
        Choice(*SERVICE_SCOPES),
        required=True,
        validate=[validate.Length(min=1, error="Must contain a scope."), check_distinct],
    )


class TokenSchema(StrictSchema):
    """A new token; only this answer contains its secret."""

    token_id = Identifier(
        data_key="tokenId", metadata={"example": TOKEN_ID, "description": "The id by which the token can be revoked."}
    )
    token = fields.String(
        metadata={"example": "tp_the-secret-that-is-shown-once", "description": "The secret: store it now."}
    )
