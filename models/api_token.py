"""API tokens, kept as digests."""

from peewee import BlobField, Field, UUIDField

from models.base import Table, TimestampField


class TextArrayField(Field):
    """A list of strings."""

    field_type = "TEXT[]"


class ApiToken(Table):
    """A bearer token's SHA-256 digest, scopes and life."""

    id = UUIDField(primary_key=True)
    digest = BlobField()
    account_id = UUIDField(null=True)
    scopes = TextArrayField()
    created_at = TimestampField()
    expires_at = TimestampField(null=True)
    revoked_at = TimestampField(null=True)
