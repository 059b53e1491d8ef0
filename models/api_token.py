"""API tokens, kept as digests."""

from peewee import BlobField, UUIDField

from models.base import Table, TextArrayField, TimestampField


class ApiToken(Table):
    """A bearer token: its SHA-256 digest, its scopes, and the times at which it begins and ends."""

    id = UUIDField(primary_key=True)
    digest = BlobField()
    account_id = UUIDField(null=True)
    scopes = TextArrayField()
    created_at = TimestampField()
    expires_at = TimestampField(null=True)
    revoked_at = TimestampField(null=True)
