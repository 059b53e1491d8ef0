"""Checks of a database before any table is created in it."""

from typing import Any

from models import buckets
from models.database import fetch_all, fetch_one

OLDEST_VERSION = 15
ENCODING = "UTF8"
INSUFFICIENT_PRIVILEGE = "42501"  # the role lacks a right
# The locale C works with every encoding, also if the server's default is another one.
# Since this migration the tables of accounts are in the schemas of the buckets, if there are several.
DIVISION = "0023_buckets"
CREATION = f"createdb --encoding={ENCODING} --locale=C --template=template0 NAME"


class DatabaseUnfit(Exception):
    """The database cannot hold the tables; the message is one line with the remedy."""


def unfit_reason() -> str | None:
    """Return the reason why the open session's database cannot be used, or None; the text holds no secret."""
    (found,) = fetch_all(
        "SELECT current_setting('server_version_num')::int / 10000 AS version, getdatabaseencoding() AS encoding,"
        f" ({buckets.COUNT_SCHEMAS}) AS buckets, to_regclass('{_accounts()}') IS NOT NULL AS has_accounts"
    )
    if found["version"] < OLDEST_VERSION:
        return f"its version {found['version']} is too old: PostgreSQL {OLDEST_VERSION} or later is needed"
    if found["encoding"] != ENCODING:
        return f"its encoding {found['encoding']} cannot hold every text: make another with {CREATION}"
    made_with = _other_shards(found)
    return None if made_with is None else buckets.made_with_other(made_with)


def refuse_unfit() -> None:
    """Raise DatabaseUnfit if the open session's database cannot be used."""
    if reason := unfit_reason():
        raise DatabaseUnfit(reason)


def _other_shards(found: dict[str, Any]) -> int | None:
    """Return the number of buckets with which the database was made if it is not this process's, else None."""
    if not buckets.are_several():
        return found["buckets"] if found["buckets"] and not found["has_accounts"] else None
    if found["buckets"] not in (0, len(buckets.shards())):
        return int(found["buckets"])
    return 1 if found["has_accounts"] and _has_all_in_one_schema() else None


def _accounts() -> str:
    """Return the name of the table of accounts where one bucket has it."""
    return f"{buckets.SHARED_SCHEMA}.account" if buckets.are_several() else "account"


def _has_all_in_one_schema() -> bool:
    """Return True if the tables of accounts, which are in the shared schema, stay there: they hold rows, or came so."""
    row = fetch_one(
        "SELECT EXISTS (SELECT FROM account) OR EXISTS (SELECT FROM schema_migration WHERE name = %s) AS stays",
        (DIVISION,),
    )
    return row is not None and bool(row["stays"])


def is_read_only() -> bool:
    """Return True if the server takes no writes: it is a standby, or its operator has closed it for writing."""
    (found,) = fetch_all("SELECT current_setting('transaction_read_only')::boolean AS is_read_only")
    return bool(found["is_read_only"])


def missing_right() -> str | None:
    """Return the right to create tables that the session's role lacks, with the statement that grants it, or None."""
    (found,) = fetch_all(
        "SELECT quote_ident(current_user) AS role, current_setting('search_path') AS path,"
        " quote_ident(current_schema()) AS schema, has_schema_privilege(current_schema(), 'CREATE') AS may_create,"
        " quote_ident(current_database()) AS database,"
        f" has_database_privilege(current_database(), 'CREATE') OR ({buckets.COUNT_SCHEMAS}) > 0 AS may_make_schemas"
    )
    if buckets.are_several() and not found["may_make_schemas"]:
        return (
            f"the role {found['role']} may not make the schemas of the buckets: let the database's owner run"
            f" GRANT CREATE ON DATABASE {found['database']} TO {found['role']}"
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
