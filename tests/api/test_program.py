"""The console command `tradepost`."""

import importlib
import os
import re
import sys
import tomllib

import click
import pytest
from click.testing import CliRunner

from api.commands import program
from tests.support.processes import ROOT

SINGLE = {"stream", "replay"}  # commands without others below them
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture
def tradepost(monkeypatch, capsys):
    """Return a function that runs the command line, and returns its status, its output and its errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tradepost", *arguments])
        with pytest.raises(SystemExit) as ended:
            program.main()
        return (ended.value.code or 0, *capsys.readouterr())

    return run


def commands_of(group, path=()):
    """Yield the path of each command below a group, and the command."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands_of(command, (*path, name))


LEAVES = {
    " ".join(path): command for path, command in commands_of(program.program) if not isinstance(command, click.Group)
}


def test_the_console_command_is_the_one_that_the_project_names():
    module, _, name = PROJECT["project"]["scripts"]["tradepost"].partition(":")
    assert getattr(importlib.import_module(module), name) is program.main


def test_the_build_backend_is_installed_with_the_service_and_needs_no_download():
    (pinned,) = PROJECT["build-system"]["requires"]
    known = (ROOT / "requirements-run.txt").read_text()
    assert re.search(rf"^{re.escape(pinned.replace('_', '-'))}$", known, re.MULTILINE)


def test_the_help_lists_every_command_by_subject_and_none_of_flask(tradepost, app):
    status, shown, errors = tradepost("--help")
    assert (status, errors) == (0, "")
    assert [subject for subject in program.SECTIONS if f"\n{subject}:\n" in shown] == list(program.SECTIONS)
    listed = re.findall(r"^  ([a-z]+) +[A-Z]", shown, re.MULTILINE)
    assert sorted(listed) == sorted(program.program.commands)
    assert not {"run", "shell", "routes"} & set(listed)
    assert set(listed) == set(app.cli.commands) - {"openapi"}


def test_every_command_says_what_it_does():
    for path, command in commands_of(program.program):
        assert command.get_short_help_str(), path
        shown = CliRunner().invoke(program.program, [*path, "--help"])
        assert shown.exit_code == 0, shown.output


def test_the_page_of_the_command_line_names_every_command():
    page = (ROOT / "docs/commands.md").read_text()
    named = set(re.findall(r"`([a-z]+(?: [a-z]+)?)`", page.partition("| command |")[2].partition("\n\n")[0]))
    assert named == set(LEAVES)


def test_every_command_that_a_page_names_exists():
    known = {" ".join(path) for path, _ in commands_of(program.program)}
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for page in pages:
        named = re.findall(r"(?:\.venv/bin/|`|^)tradepost ([a-z]+)(?: ([a-z]+))?", page.read_text(), re.MULTILINE)
        wrong = [pair for pair in named if " ".join(pair).strip() not in known and pair[0] not in SINGLE]
        assert wrong == [], page


def test_every_command_that_prints_something_can_print_json():
    options = {path: [one for given in command.params for one in given.opts] for path, command in LEAVES.items()}
    assert {path for path, known in options.items() if "--json" not in known} == {"replay"}  # its results are files


def test_without_arguments_the_help_is_shown(tradepost):
    status, shown, errors = tradepost()
    assert (status, shown) == (2, "")
    assert "Operations:" in errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["acounts"], "'acounts'. Did you mean 'accounts'? See `tradepost --help`."),
        (["accounts", "create"], "'--name'. See `tradepost accounts create --help`."),
        (["orders", "sweep", "--limit", "0"], "See `tradepost orders sweep --help`."),
        (["stocks", "import", "/nowhere.csv"], "'/nowhere.csv' does not exist."),
    ],
)
def test_a_usage_error_is_one_line_that_names_the_remedy(tradepost, arguments, words):
    status, shown, errors = tradepost(*arguments)
    assert (status, shown, errors.count("\n")) == (2, "", 1)
    assert errors.startswith("tradepost: ")
    assert words in errors


def test_another_folder_of_the_checkout_finds_the_data_folder(monkeypatch, tmp_path):
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    (checkout / ".data").mkdir(parents=True)
    elsewhere.mkdir()
    monkeypatch.setattr(program, "ROOT", checkout)
    monkeypatch.setenv("DATA_DIR", "")
    monkeypatch.chdir(elsewhere)
    program._find_data_folder()
    assert os.environ["DATA_DIR"] == str(checkout / ".data")
    monkeypatch.setenv("DATA_DIR", "chosen")
    program._find_data_folder()
    assert os.environ["DATA_DIR"] == "chosen"
