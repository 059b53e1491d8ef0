"""What a newcomer reads is true: links lead somewhere, targets and hooks exist."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from api.commands.program import program
from tests.support.processes import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TESTS_NAMED = re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", (ROOT / "CONTRIBUTING.md").read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_token_in_a_command_is_exported_by_make_run_or_set_on_the_page(page: Path) -> None:
    known = {"METRICS_TOKEN"}  # a setting of the service
    if page.parent.name != "deploy":
        known |= {"TRADEPOST_TOKEN", "ADMIN_TOKEN"}
    blocks = "\n".join(re.findall(r"^```(?:sh|console)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE))
    used = set(re.findall(r"\$\{?([A-Z_]*TOKEN)\b", blocks)) - known
    assert [name for name in used if not re.search(rf"(^|\s){name}=", blocks)] == []


def test_the_index_names_every_document() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    documents = [str(page.relative_to(ROOT / "docs")) for page in PAGES if page.is_relative_to(ROOT / "docs")]
    assert [name for name in documents if name != "README.md" and f"({name})" not in index] == []


def test_every_case_that_the_page_of_faults_names_exists() -> None:
    cases = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`([a-z0-9_…]+)(?:\[[^`]*\])?`", (ROOT / "docs/faults.md").read_text())
    patterns = [name.replace("…", r"\w*") for name in named if "…" in name and name.count("_") > 1]
    assert len(patterns) > 50
    assert [pattern for pattern in patterns if not re.search(rf"def test_{pattern}\(", cases)] == []


def test_every_alert_leads_to_a_part_of_the_runbook() -> None:
    (group,) = yaml.safe_load((ROOT / "docs/observability/prometheus-rules.yaml").read_text())["groups"]
    table = (ROOT / "docs/observability.md").read_text().partition("| alert | section of the")[2].partition("\n\n")[0]
    rows = [row.split("|")[1:3] for row in table.splitlines()[2:]]
    named = [name for names, _ in rows for name in names.strip().split(", ")]
    assert sorted(named) == sorted(rule["alert"] for rule in group["rules"])
    headings = re.findall(r"^## ([^(\n]*)", (ROOT / "docs/runbook.md").read_text(), flags=re.MULTILINE)
    for _, section in rows:
        parts = re.findall(r"\*([^*]+)\*", section)
        assert parts
        assert set(parts) <= {heading.strip() for heading in headings}


def test_make_help_shows_every_target() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    shown = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert re.findall(r"^  make (\S+) +\S", shown, flags=re.MULTILINE) == phony.split()


def test_the_hooks_use_installed_programs_and_download_nothing() -> None:
    (source,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert source["repo"] == "local"
    pinned = (ROOT / "requirements-dev.txt").read_text()
    for hook in source["hooks"]:
        assert hook["language"] == "system"
        folder, program = hook["entry"].split()[0].rsplit("/", 1)
        assert folder == ".venv/bin"
        assert (Path(sys.executable).parent / program).exists()
        package = {"lint-imports": "import-linter"}.get(program, program)
        assert re.search(rf"^{package}==", pinned, flags=re.MULTILINE)


def test_the_tests_that_contributing_names_exist() -> None:
    assert TESTS_NAMED
    for path, name in TESTS_NAMED:
        assert f"def {name}" in (ROOT / path).read_text()


PROGRAM = r"(?:(?:\.venv/bin/|`|^|web )tradepost|flask --app api) "
COMMANDS = re.compile(PROGRAM + r"([a-z]+(?: [^`#|;&)>\n\"]*)?)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists_with_its_options(page: Path) -> None:
    for text in COMMANDS.findall(page.read_text().replace("\\\n", "")):
        command: click.Command = program
        for word in text.split():
            if isinstance(command, click.Group) and not word.startswith("-"):
                assert word in command.commands, text
                command = command.commands[word]
            elif word.startswith("--"):
                known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
                assert word.partition("=")[0].rstrip(".,:") in known, text
