"""The distribution of the tests over parallel processes."""

import pytest

from tests.support import scheduling
from tests.support.processes import ROOT


def test_every_name_in_the_distribution_is_a_file_or_a_folder() -> None:
    files = [f"{scheduling.FAULTS}test_{name}.py" for names in scheduling.FAULT_GROUPS for name in names]
    missing = [path for path in (*files, *scheduling.SLOW) if not (ROOT / path).exists()]
    assert missing == []


def test_the_tests_of_a_file_share_a_process_those_of_browsers_one_and_those_of_faults_four() -> None:
    assert scheduling.group_of("tests/browser/test_ops.py::test_a") == scheduling.BROWSER
    assert scheduling.group_of("tests/kite_clients/test_orders.py::test_a") == scheduling.KITE_CLIENTS
    assert scheduling.group_of("tests/api/test_orders.py::test_a[x::y]") == "tests/api/test_orders.py"
    files = (ROOT / scheduling.FAULTS).glob("test_*.py")
    assert len({scheduling.group_of(f"{path.relative_to(ROOT)}::test_a") for path in files}) == 4


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
def test_a_run_of_files_or_on_shared_servers_is_one_process(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for unset in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(unset, raising=False)
    assert scheduling.worker_count(["tests"]) >= scheduling.WORKERS_OF_A_CORE
    assert scheduling.worker_count(["tests/api/test_orders.py::test_a", "tests/api/test_admin.py"]) == 0
    monkeypatch.setenv(name, "a server")
    assert scheduling.worker_count(["tests"]) == 0
