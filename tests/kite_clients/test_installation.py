"""A client that cannot be installed is named with the reason, once for all tests of a process."""

import shutil
from pathlib import Path

import pytest

from tests.support import kite_clients


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kite_clients, "FOLDER", tmp_path / "clients")
    monkeypatch.setattr(kite_clients, "_failures", {})


def test_a_client_that_the_index_does_not_give_is_tried_once(
    nothing_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(kite_clients.NoClientError, match=r"^kiteconnect==5\.2\.2 cannot be installed: .+$"):
        kite_clients.python_path("5.2.2")
    monkeypatch.setattr(kite_clients, "_run", lambda *_: pytest.fail("it is tried again"))
    with pytest.raises(kite_clients.NoClientError):
        kite_clients.python_path("5.2.2")


def test_without_npm_a_client_in_javascript_cannot_be_installed(
    nothing_installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "npm" else f"/usr/bin/{name}")
    with pytest.raises(kite_clients.NoClientError, match="apt-get install nodejs npm"):
        kite_clients.javascript_folder("5.3.0")
