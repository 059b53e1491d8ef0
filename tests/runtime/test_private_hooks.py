"""docs/private-hooks.md against the pinned versions and the tests that it names."""

import inspect
import re
from pathlib import Path

import pytest
from dramatiq import cli
from honcho.manager import Manager

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docs" / "private-hooks.md").read_text()
PINNED = dict(
    line.split("==")
    for file in ROOT.glob("requirements*.txt")
    for line in re.findall(r"^[a-z0-9-]+==[^\s;]+", file.read_text(), re.MULTILINE)
)
SECTIONS = re.findall(r"^## ([a-z0-9-]+) (\S+)$", TEXT, re.MULTILINE)
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)))
FILES = sorted(set(re.findall(r"`((?!tests/)[\w/.]+/[\w.]+\.py|[\w.]+\.conf\.py)`", TEXT)))


@pytest.mark.parametrize(("library", "version"), SECTIONS)
def test_a_new_version_of_a_library_asks_for_a_look_at_its_hooks(library: str, version: str) -> None:
    assert PINNED[library] == version


@pytest.mark.parametrize(("path", "name"), TESTS)
def test_every_test_that_the_document_names_exists(path: str, name: str) -> None:
    assert f"def {name}" in (ROOT / path).read_text()


@pytest.mark.parametrize("path", FILES)
def test_every_file_that_the_document_names_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_dramatiq_installs_its_signal_handler_before_the_boot_of_the_process() -> None:
    source = inspect.getsource(cli.worker_process)
    assert 0 < source.rindex("signal.SIGTERM, termhandler") < source.index('emit_after("process_boot")')


def test_honcho_reads_the_time_that_processes_get_to_stop() -> None:
    assert "KILL_WAIT" in Manager.loop.__code__.co_names
