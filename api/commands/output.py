"""Print the result of a command."""

import json
from typing import Any

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")


def show(as_json: bool, document: Any) -> None:
    """Print a document as one line of JSON, or as lines for a reader."""
    if as_json:
        click.echo(json.dumps(document, separators=(",", ":")))
    elif isinstance(document, dict):
        for name, value in document.items():
            click.echo(f"{name}: {value}")
    else:
        for line in document:
            click.echo("  ".join(str(value) for value in line.values()))
