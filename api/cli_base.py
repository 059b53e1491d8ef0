"""What the commands share: how they reach the database, how they fail, how they print."""

import functools
import json
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click
from flask import current_app
from peewee import ProgrammingError

import config
from models.database import DatabaseUnavailable
from trading.errors import Refused

from .errors import HttpRefusal

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
        except DatabaseUnavailable as error:
            fail(f"The database cannot be reached: {str(error).splitlines()[0]}")
        except ProgrammingError as error:
            fail(f"The schema does not fit ({str(error).splitlines()[0]}): run `flask --app api db upgrade`.")

    return run


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
