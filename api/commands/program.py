"""The console command `tradepost`: all commands in groups, without those of Flask."""

import os
import sys
from pathlib import Path

import click
from flask.cli import ScriptInfo

from api import create_app
from config import DEFAULT_DATA_DIR
from config.version import VERSION

from .cli import SECTIONS

ROOT = Path(__file__).resolve().parents[2]
USAGE_ERROR = 2


class Sections(click.Group):
    """A group whose help lists the commands by subject."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a table of commands for each subject."""
        width = max(map(len, self.commands))
        for subject, commands in SECTIONS.items():
            rows = [(f"{command.name:<{width}}", command.get_short_help_str(formatter.width)) for command in commands]
            with formatter.section(subject):
                formatter.write_dl(rows)


@click.group(cls=Sections, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, message="%(prog)s %(version)s")
def program() -> None:
    """Operate Tradepost, a paper trading backend.

    The commands read DATABASE_URL and REDIS_URL, or else the addresses that `make run` keeps in DATA_DIR. Each has
    --help, and all that print data have --json.
    """


for one in SECTIONS.values():
    for command in one:
        program.add_command(command)


def main() -> None:
    """Run the command line; each error is one line on standard error."""
    _find_data_folder()
    try:
        status = program.main(prog_name="tradepost", obj=ScriptInfo(create_app=create_app), standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        status = USAGE_ERROR
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "tradepost"
        click.echo(f"tradepost: {error.format_message()} See `{path} --help`.", err=True)
        status = error.exit_code
    except click.ClickException as error:
        click.echo(f"tradepost: {error.format_message()}", err=True)
        status = error.exit_code
    except click.Abort:
        status = 130
    sys.exit(status)


def _find_data_folder() -> None:
    """Name the checkout's data folder, for a command that runs in another folder."""
    of_checkout = ROOT / DEFAULT_DATA_DIR
    if not os.environ.get("DATA_DIR", "").strip() and not Path(DEFAULT_DATA_DIR).exists() and of_checkout.exists():
        os.environ["DATA_DIR"] = str(of_checkout)
