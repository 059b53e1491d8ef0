"""The packages import only the modules that the import rules allow."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import NOT_DEPLOYED, ROOT, as_deployed

PACKAGES = ["actors", "api", "config", "models", "runtime", "schemas", "serving", "trading"]


def modules() -> list[str]:
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if path.stem.isidentifier()]
    return sorted(str(path.relative_to(ROOT).with_suffix("")).replace("/", ".") for path in paths)


def test_every_package_obeys_the_import_rules() -> None:
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    done = subprocess.run([str(program), "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_rules_bite(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in [*PACKAGES, "embedded"]:
        shutil.copytree(ROOT / package, tmp_path / package)
    for module, line in [
        ("trading/rules/money.py", "import redis"),
        ("trading/upkeep/verify.py", "import actors.orders"),
    ]:
        text = (ROOT / module).read_text()
        (tmp_path / module).write_text(f"{text}\n{line}\n")
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    done = subprocess.run([str(program), "--no-cache"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "trading knows no door BROKEN" in done.stdout
    assert "the rules of trading are pure BROKEN" in done.stdout


def test_config_imports_the_standard_library_only() -> None:
    trees = [ast.parse(path.read_text()) for path in (ROOT / "config").glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_does_nothing(package: str) -> None:
    """Import every module without an environment: a connection or a setting read would fail."""
    names = [name.removesuffix(".__init__") for name in modules() if name.startswith(package)]
    code = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    done = subprocess.run(
        [sys.executable, "-c", code, *names], cwd=ROOT, env={"PORT": "bad"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_hidden_from_the_processes_under_test_is_not_deployed() -> None:
    hidden = tuple(path.stem for path in NOT_DEPLOYED.glob("*.py"))
    deployed = (ROOT / "requirements.txt").read_text().splitlines()
    assert [line for line in deployed if line.startswith(hidden)] == []
    code = "import sys, structlog, redis; print([name for name in sys.argv[1:] if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code, *hidden], env=as_deployed({}), capture_output=True, text=True)
    assert found.stdout == "[]\n"
    everything = as_deployed({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "PYTHONPATH": str(NOT_DEPLOYED)})
    assert everything["PYTHONPATH"] == ""
