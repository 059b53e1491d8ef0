"""The official clients of Kite Connect, unmodified, as the author of a bot installs them.

They live in a folder of this checkout that git ignores: they need packages that no other part needs, and five versions
of them are used. Each is installed once; parallel processes wait for each other.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.processes import ROOT

FOLDER = ROOT / ".kite-clients"
PYTHON = ("5.2.2", "5.0.1", "4.2.0")
JAVASCRIPT = ("5.3.0", "4.1.0")
INSTALLATION_LIMIT_S = 180
NPM_OPTIONS = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefer-offline", "--fetch-retries=1")
# Of this process: an installation that failed is not tried again for each test.
_failures: dict[str, str] = {}


class NoClientError(Exception):
    """A client cannot be installed here; the message is one line."""


def python_path(version: str) -> str:
    """Return the PYTHONPATH with which `python -S`, which has no other packages, finds the client of a version.

    All versions need the same packages in the same versions, so they share those of the newest.
    """
    folders = dict.fromkeys((str(_python_folder(version)), str(_python_folder(PYTHON[0]))))
    return os.pathsep.join(folders)


def javascript_folder(version: str) -> Path:
    """Return a folder whose node_modules hold the client of a version."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise NoClientError("no node or no npm on PATH: apt-get install nodejs npm")

    def install(folder: Path) -> list[str]:
        (folder / "package.json").write_text('{"private": true}\n')  # else npm looks for one above
        return ["npm", "install", *NPM_OPTIONS, f"kiteconnect@{version}"]

    return _installed(f"javascript-{version}", install)


def _python_folder(version: str) -> Path:
    def install(folder: Path) -> list[str]:
        options = [] if version == PYTHON[0] else ["--no-deps"]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--retries", "1", "--target", "."]
        return [*pip, *options, f"kiteconnect=={version}"]

    return _installed(f"python-{version}", install)


def _installed(name: str, install: Callable[[Path], list[str]]) -> Path:
    """Return the folder of a client, after its command has filled it if no other process has."""
    folder = FOLDER / name
    if folder.exists():
        return folder
    if name in _failures:
        raise NoClientError(_failures[name])
    FOLDER.mkdir(exist_ok=True)
    with _locked(FOLDER / f"{name}.lock"):
        if not folder.exists():
            draft = FOLDER / f"{name}.part"
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            try:
                _run(install(draft), draft)
            except NoClientError as error:
                _failures[name] = str(error)
                raise
            draft.rename(folder)  # so that a folder that exists is whole
    return folder


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALLATION_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoClientError(f"{command[-1]} cannot be installed: {error}") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "warn" not in line.lower()] or ["no message"]
        raise NoClientError(f"{command[-1]} cannot be installed: {lines[-1]}")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
