"""What the commands share: how they reach the database, how they fail, how they print."""

import functools
import json
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click
from flask import current_app
from peewee import DataError, ProgrammingError

import config
from api.http.errors import HttpRefusal
from models.database import DatabaseUnavailable, sqlstate
from models.server import CREATION, INSUFFICIENT_PRIVILEGE, DatabaseUnfit
from trading.rules.errors import Refused

# What PostgreSQL says, in English, and what to do about it.
REMEDIES = {
    r'database ".*" does not exist': f"make it with {CREATION}",
    r'role ".*" does not exist': "create it, or mend the user in DATABASE_URL",
    r'password authentication failed for user ".*"': "mend the user or the password in DATABASE_URL",
    r"no password supplied": "DATABASE_URL needs a password",
    r'permission denied for database ".*"': "let its owner GRANT CONNECT on it to the user in DATABASE_URL",
    r'(unrecognized configuration|invalid value for) parameter ".*"': "mend the options in DATABASE_URL",
    r"no pg_hba.conf entry for .*": "let it in there, or try another sslmode in DATABASE_URL",
}
MISSING_STATES = frozenset({"42P01", "42703", "42883"})  # a table, a column, a function

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON line.")
csv_file = click.argument("path", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False))


def fail(message: str) -> NoReturn:
    """Print one line on standard error and exit 1."""
    click.echo(f"tradepost: {' '.join(message.split())}", err=True)
    sys.exit(1)


def with_database(command: Callable[..., None]) -> Callable[..., None]:
    """Run a command that needs the database; what is refused is one line and exit 1."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            config.require_database_url(current_app.config["SETTINGS"])
            command(*args, **kwargs)
        except HttpRefusal as error:
            fail(reasons(error))
        except Refused as error:
            fail(f"{error.message} {_facts(error)}")
        except config.ConfigurationError as error:
            fail(str(error))
        except DatabaseUnfit as error:
            fail(f"The database cannot be used: {error}.")
        except DatabaseUnavailable as error:
            fail(_unavailable(error))
        except (DataError, ProgrammingError) as error:
            fail(_refused(error))

    return run


def _unavailable(error: DatabaseUnavailable) -> str:
    """Return why no connection came about, or why an open one did not answer, and what to do where that is known."""
    text = str(error)
    for pattern, remedy in REMEDIES.items():
        if found := re.search(pattern, text):
            return f"The database refuses the connection: {found[0]}; {remedy}."
    return f"The database cannot be reached: {text.splitlines()[0]}"


def _refused(error: Exception) -> str:
    """Return what the database refuses, and what to do where that is known."""
    reason = str(error).splitlines()[0]
    if sqlstate(error) in MISSING_STATES:
        return f"The schema does not fit ({reason}): run `flask --app api db upgrade`."
    if sqlstate(error) == INSUFFICIENT_PRIVILEGE:
        return f"The role in DATABASE_URL may not do this ({reason}): use the one that owns the tables."
    return f"The database refuses this: {reason}"


def reasons(error: HttpRefusal) -> str:
    """Return what is wrong with which field, in one line."""
    return "; ".join(f"{name}: {' '.join(messages)}" for name, messages in (error.fields or {}).items())


def _facts(error: Refused) -> str:
    return " ".join(f"{name}={value}" for name, value in error.details.items())


def show(as_json: bool, document: Any) -> None:
    """Print a document: one JSON line, or its values to be read."""
    if as_json:
        click.echo(json.dumps(document, separators=(",", ":")))
    elif isinstance(document, dict):
        for name, value in document.items():
            click.echo(f"{name}: {value}")
    else:
        for line in document:
            click.echo("  ".join(str(value) for value in line.values()))
