"""Checks of a database before any table is created in it."""

from models.database import fetch_all

OLDEST_VERSION = 15
ENCODING = "UTF8"
INSUFFICIENT_PRIVILEGE = "42501"  # the role lacks a right
# The locale C works with every encoding, also if the server's default is another one.
CREATION = f"createdb --encoding={ENCODING} --locale=C --template=template0 NAME"


class DatabaseUnfit(Exception):
    """The database cannot hold the tables; the message is one line with the remedy."""


def unfit_reason() -> str | None:
    """Return the reason why the open session's database cannot be used, or None; the text holds no secret."""
    (found,) = fetch_all(
        "SELECT current_setting('server_version_num')::int / 10000 AS version, getdatabaseencoding() AS encoding"
    )
    if found["version"] < OLDEST_VERSION:
        return f"its version {found['version']} is too old: PostgreSQL {OLDEST_VERSION} or later is needed"
    if found["encoding"] != ENCODING:
        return f"its encoding {found['encoding']} cannot hold every text: make another with {CREATION}"
    return None


def is_read_only() -> bool:
    """Return True if the server takes no writes: it is a standby, or its operator has closed it for writing."""
    (found,) = fetch_all("SELECT current_setting('transaction_read_only')::boolean AS is_read_only")
    return bool(found["is_read_only"])


def missing_right() -> str | None:
    """Return the right to create tables that the session's role lacks, with the statement that grants it, or None."""
    (found,) = fetch_all(
        "SELECT quote_ident(current_user) AS role, current_setting('search_path') AS path,"
        " quote_ident(current_schema()) AS schema, has_schema_privilege(current_schema(), 'CREATE') AS may_create"
    )
    if found["may_create"]:
        return None
    if found["schema"] is None:
        return (
            f"the role {found['role']} may use no schema of search_path ({found['path']}): let the database's owner"
            f" run CREATE SCHEMA AUTHORIZATION {found['role']}"
        )
    return (
        f"the role {found['role']} may not create tables in the schema {found['schema']}: let the database's owner run"
        f" GRANT USAGE, CREATE ON SCHEMA {found['schema']} TO {found['role']}, or make the role the database's owner"
    )
