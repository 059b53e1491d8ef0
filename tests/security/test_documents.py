"""The tests that docs/security.md names exist, and it leaves none out."""

import ast
import re
from pathlib import Path

import pytest

from tests.security import audit

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "security.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", DOCUMENT)


def names_in(path):
    return {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)}


def test_the_document_names_tests():
    assert len(NAMED) > 40


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_every_test_that_the_document_names_exists(path):
    assert {name for named, name in NAMED if named == path} - names_in(path) == set()


def test_every_risk_of_the_list_has_a_section_with_tests():
    sections = re.split(r"^## ", DOCUMENT, flags=re.MULTILINE)
    for number in range(1, 11):
        (section,) = [section for section in sections if section.startswith(f"API{number}:2023 ")]
        lines = [line for line in section.splitlines() if line.startswith("| ") and not line.startswith("| attempt")]
        assert lines, section
        for line in lines:
            assert re.search(r"`tests/[\w/]+\.py::\w+`|out of scope", line), line


def test_every_file_of_this_suite_is_named():
    for path in Path(__file__).parent.glob("test_*.py"):
        assert f"tests/security/{path.name}" in DOCUMENT, path.name


def test_bandit_finds_nothing_that_is_not_accepted():
    assert audit.findings() == []


def test_bandit_would_find_something(monkeypatch):
    monkeypatch.setattr(audit, "ACCEPTED", {})
    assert any("B608" in finding for finding in audit.findings())
