"""End a command that fails: one line on standard error, and exit code 1."""

import functools
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click
from flask import current_app
from peewee import DataError, ProgrammingError

import config
from api.http.errors import HttpRefusal
from models import server
from models.database import DatabaseUnavailable, session, sqlstate
from models.server import CREATION, INSUFFICIENT_PRIVILEGE, DatabaseUnfit
from trading.rules.errors import NotFound, Refused

# PostgreSQL's messages, in English, each with its remedy.
REMEDIES = {
    r'database ".*" does not exist': f"create it with {CREATION}",
    r'role ".*" does not exist': "create it, or correct the user in DATABASE_URL",
    r'password authentication failed for user ".*"': "correct the user or the password in DATABASE_URL",
    r"no password supplied": "DATABASE_URL needs a password",
    r'permission denied for database ".*"': "let its owner GRANT CONNECT on it to the user in DATABASE_URL",
    r'(unrecognized configuration|invalid value for) parameter ".*"': "correct the options in DATABASE_URL",
    r"no pg_hba.conf entry for .*": "add an entry there, or try another sslmode in DATABASE_URL",
}
MISSING_STATES = frozenset({"42P01", "42703", "42883"})  # a table, a column, a function


def fail(message: str) -> NoReturn:
    """Print one line on standard error and exit with 1."""
    click.echo(f"tradepost: {' '.join(message.split())}", err=True)
    sys.exit(1)


def with_database(command: Callable[..., None]) -> Callable[..., None]:
    """Run a command that needs the database; print each refusal and database error as one line and exit with 1.

    With another SHARDS than that of the database it would miss tables, or write into those that nobody reads.
    """

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        config.require_database_url(current_app.config["SETTINGS"])
        with session():
            server.refuse_unfit()
        command(*args, **kwargs)

    return telling_failures(run)


def telling_failures(command: Callable[..., None]) -> Callable[..., None]:
    """Run a command; print each refusal and database error as one line and exit with 1."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except HttpRefusal as error:
            fail(reasons(error))
        except NotFound:
            fail(_nothing_there())
        except Refused as error:
            fail(f"{error.message} {_facts(error)}")
        except config.ConfigurationError as error:
            fail(str(error))
        except DatabaseUnfit as error:
            fail(f"The database cannot be used: {error}.")
        except DatabaseUnavailable as error:
            fail(_connection_failure(error))
        except (DataError, ProgrammingError) as error:
            fail(_statement_failure(error))

    return run


def reasons(error: HttpRefusal) -> str:
    """Return the fields of a refusal with their messages, in one line."""
    return "; ".join(f"{name}: {' '.join(messages)}" for name, messages in (error.fields or {}).items())


def _nothing_there() -> str:
    """Return which thing of the command line does not exist, with the command that lists those that do."""
    given = click.get_current_context().params
    for name, thing in (("account_id", "account"), ("token_id", "token")):
        if given.get(name):
            return f"The {thing} {given[name]} does not exist: `tradepost {thing}s list` lists those that do."
    return "The order does not exist: `tradepost orders list` lists those that do."


def _facts(error: Refused) -> str:
    return " ".join(f"{name}={value}" for name, value in error.details.items())


def _connection_failure(error: DatabaseUnavailable) -> str:
    """Return why no connection was made, or why it was lost, with the remedy if one is known."""
    text = str(error)
    for pattern, remedy in REMEDIES.items():
        if found := re.search(pattern, text):
            return f"The database refuses the connection: {found[0]}; {remedy}."
    if found := re.search(r"the database cannot be used: (.*)", text):
        return f"The database cannot be used: {found[1]}."
    return f"The database cannot be reached: {text.splitlines()[0]}"


def _statement_failure(error: Exception) -> str:
    """Return why the database refuses a statement, with the remedy if one is known."""
    reason = str(error).splitlines()[0]
    if sqlstate(error) in MISSING_STATES:
        return f"The schema is not up to date ({reason}): run `tradepost db upgrade`."
    if sqlstate(error) == INSUFFICIENT_PRIVILEGE:
        return f"The role in DATABASE_URL lacks a privilege ({reason}): use the role that owns the tables."
    return f"The database refuses the statement: {reason}"
