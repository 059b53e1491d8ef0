"""Say why a database cannot hold our tables, before anything is written into it."""

from models.database import fetch_all

OLDEST_VERSION = 15
ENCODING = "UTF8"
INSUFFICIENT_PRIVILEGE = "42501"  # a right that the role lacks
# The locale C goes with every encoding, whatever the server's own is.
CREATION = f"createdb --encoding={ENCODING} --locale=C --template=template0 NAME"


class DatabaseUnfit(Exception):
    """The database cannot hold our tables; the message is one line that says what to do."""


def unfitness() -> str | None:
    """Return why the database of the open session cannot be used, fit to be shown to anybody, or None."""
    (found,) = fetch_all(
        "SELECT current_setting('server_version_num')::int / 10000 AS version, getdatabaseencoding() AS encoding"
    )
    if found["version"] < OLDEST_VERSION:
        return f"its version {found['version']} is too old: PostgreSQL {OLDEST_VERSION} or later is needed"
    if found["encoding"] != ENCODING:
        return f"its encoding {found['encoding']} cannot hold every text: make another with {CREATION}"
    return None


def is_read_only() -> bool:
    """Tell whether nothing can be written: the server is a standby, or its operator has forbidden it."""
    (found,) = fetch_all("SELECT current_setting('transaction_read_only')::boolean AS is_read_only")
    return bool(found["is_read_only"])


def missing_right() -> str | None:
    """Return which right to create tables the role of the open session lacks, and how it gets it, or None."""
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
