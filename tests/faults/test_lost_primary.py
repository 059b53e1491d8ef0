"""F34: the database's primary is lost for good, and its standby takes over under load."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest
import requests

from models import connections
from models.connections import Server
from tests.faults.checks import drain, heal_drain_check, unbalanced
from tests.faults.failovers import (
    AFTER_LOSS_S,
    AFTER_PROMOTION_S,
    LOSSES,
    Probes,
    fail_over,
    placed_and_lost,
)
from tests.faults.name_server import NameServer
from tests.faults.pair import PairedMachine, PairedSystem, ask, target_of
from tests.faults.proxy import Proxy
from tests.faults.test_failover_reads import readiness
from tests.faults.workload import Workload
from tests.support.processes import ROOT, wait_until

pytestmark = pytest.mark.faults

NAME = "database.tradepost.test"


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PairedMachine]:
    """Start a primary with a synchronous standby, and a Valkey."""
    machine = PairedMachine(tmp_path_factory.mktemp("paired"))
    try:
        yield machine.begin()
    finally:
        machine.close()


@pytest.fixture
def make_system(paired: PairedMachine, tmp_path: Path) -> Iterator[Callable[..., PairedSystem]]:
    """Return a function that makes a system whose processes the test starts; afterwards the pair is whole again."""
    made: list[PairedSystem] = []

    def make(**options: bool) -> PairedSystem:
        made.append(PairedSystem(paired, tmp_path, **options))
        return made[-1]

    yield make
    for system in made:
        system.close()
    if made:
        paired.pair.rejoin()


def expect_in_time(promised_s: float, taken_s: float) -> None:
    """Fail if something took longer than promised; other work may keep this machine busy for a moment."""
    assert taken_s <= promised_s, f"took {taken_s} s instead of {promised_s}"


def run_command(system: PairedSystem, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line with the system's settings."""
    command = ["flask", "--app", "api", *arguments]
    return subprocess.run(command, cwd=ROOT, env=system.starter.environment, capture_output=True, text=True, timeout=60)


def lose_under_load(system: PairedSystem, loss: str) -> Workload:
    """Lose the primary under load, and check that placements are accepted again in time."""
    workload = Workload(system, clients=4)
    with workload.running(pause_s=0.02), Probes(workload, count=2) as probes:
        cost = fail_over(system, probes, loss)
    expect_in_time(AFTER_PROMOTION_S, cost.after_promotion_s)
    expect_in_time(AFTER_LOSS_S, cost.after_loss_s)
    return workload


def test_f34_processes_follow_to_the_standby_of_a_killed_primary(make_system: Callable[..., PairedSystem]) -> None:
    system = make_system()
    workload = lose_under_load(system.start(), "every process killed")
    assert requests.get(f"{system.base_url}/health/ready", timeout=15).json()["database"] == "ok"
    heal_drain_check(system, workload)


@pytest.mark.long
@pytest.mark.parametrize("loss", LOSSES)
def test_f34_processes_follow_however_the_primary_is_lost(make_system: Callable[..., PairedSystem], loss: str) -> None:
    system = make_system()
    workload = lose_under_load(system.start(), loss)
    system.pair.rejoin()
    heal_drain_check(system, workload)


@pytest.mark.long
def test_f34_commands_and_migrations_use_the_writable_host(
    make_system: Callable[..., PairedSystem], tmp_path: Path
) -> None:
    system = make_system()
    for _ in range(2):  # the primary is the first host of the list once, and the second once
        done = run_command(system, "db", "upgrade")
        assert (done.returncode, done.stderr) == (0, "")
        done = run_command(system, "accounts", "create", "--name", "Asha", "--balance", "1000.00")
        assert done.returncode == 0, done.stderr
        if shutil.which("pg_dump"):
            done = run_command(system, "db", "backup", str(tmp_path / "of-the-primary.dump"))
            assert done.returncode == 0, done.stderr
        system.pair.stop()
        system.promote()
        system.pair.rejoin()
    assert system.sql("SELECT count(*) FROM account") == [(2,)]


def test_f34_an_old_primary_that_returns_unfenced_gets_no_connection(
    make_system: Callable[..., PairedSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    system = make_system()
    pair = system.pair
    running = Server(system.settings["DATABASE_URL"], "runs-already")
    with contextlib.closing(running.connect()):
        pair.kill()
    system.promote()
    old = pair.revive_unfenced()
    assert ask(old, "SELECT current_setting('transaction_read_only')") == [("off",)]
    started = Server(system.settings["DATABASE_URL"], "started-afterwards")
    for server in (running, started):
        for _ in range(2):
            with contextlib.closing(server.connect()) as connection:
                assert int(connection.info.port) == pair.door(pair.primary).port
    pair.door(pair.primary).refuse()  # the new one is away for a moment: the old one must not stand in for it
    with pytest.raises(psycopg2.OperationalError, match="another server has been promoted"):
        running.connect()
    monkeypatch.setattr(connections, "LOOK_ANYWAY_S", 0.1)
    with contextlib.closing(Server(system.settings["DATABASE_URL"], "knows-nothing").connect()) as connection:
        assert int(connection.info.port) == pair.door(old).port  # a process cannot know better, but finds out:
        pair.door(pair.primary).heal()
        wait_until(lambda: connection.has_ended, what="the process has found the new primary")


def names_read(system: PairedSystem, workload: Workload) -> set[str]:
    """Read the name of an account 32 times, over many connections of the web process at once, and return all names."""
    headers = {"Authorization": f"Bearer {next(iter(workload.accounts.values()))}"}
    url = f"{system.base_url}/api/trading/account"
    with ThreadPoolExecutor(16) as threads:
        return set(threads.map(lambda _: requests.get(url, headers=headers, timeout=15).json().get("name"), range(32)))


@pytest.mark.long
def test_f34_a_process_that_only_reads_leaves_an_old_primary_that_lives_on(
    make_system: Callable[..., PairedSystem],
) -> None:
    """Its statements are all answered, and what the new one commits is missing there."""
    system = make_system()
    workload = Workload(system.start(), clients=2)
    assert names_read(system, workload) == {"Account 0"}
    system.pair.cut_off()
    system.promote()
    system.sql("UPDATE account SET name = 'Renamed'")
    follows = lambda: names_read(system, workload) == {"Renamed"}  # noqa: E731
    wait_until(follows, timeout_s=connections.LOOK_ANYWAY_S + 10, what="what is read is what the new one has")
    assert workload.clients[0].place().answers == [202]
    system.pair.rejoin()
    heal_drain_check(system, workload)


@pytest.mark.long
def test_f34_an_old_primary_that_returns_under_load_is_given_nothing(make_system: Callable[..., PairedSystem]) -> None:
    system = make_system()
    pair, workload = system.pair, Workload(system.start(), clients=4)
    written = "SELECT count(*), (SELECT sum(last_event_id) FROM account) FROM trading_order"
    with workload.running(pause_s=0.02), Probes(workload, count=2) as probes:
        fail_over(system, probes, "every process killed")
        old = pair.revive_unfenced()
        before = ask(old, written, system.name)
        worker = system.start_worker()
        wait_until(lambda: " executed " in worker.log, timeout_s=60, what="a worker that started meanwhile works")
        pair.primary.stop(mode="immediate")  # each process connects anew, while the old one answers
        wait_until(lambda: readiness(system) == (503, "unavailable"), what="ready tells of it")
        pair.primary.start()
        probes.wait_for_all(time.monotonic())
    assert ask(old, written, system.name) == before
    pair.rejoin()
    heal_drain_check(system, workload)


@pytest.mark.long
def test_f34_the_address_stays_and_the_server_behind_it_changes(make_system: Callable[..., PairedSystem]) -> None:
    system = make_system(is_listed=False)
    workload = lose_under_load(system.start(), "every process killed")
    heal_drain_check(system, workload)


@pytest.mark.long
def test_f34_the_address_moves_and_its_connections_fall_silent(make_system: Callable[..., PairedSystem]) -> None:
    """As with a virtual address: nobody ends the connections to the old server."""
    system = make_system(is_listed=False)
    workload = Workload(system.start(), clients=4)
    with workload.running(pause_s=0.02), Probes(workload, count=2) as probes:
        lost = time.monotonic()
        system.database_proxy.black_hole()
        system.pair.kill()
        system.postgres = system.pair.promote()
        system.database_proxy.lead_to(target_of(system.postgres))
        answered = probes.wait_for_all(time.monotonic())
    expect_in_time(AFTER_LOSS_S, answered - lost)
    heal_drain_check(system, workload)


@pytest.mark.long
def test_f34_the_name_stays_and_leads_to_the_new_primary(
    make_system: Callable[..., PairedSystem], tmp_path: Path
) -> None:
    """As with RDS: the old server is silent for good, and the name has another address."""
    with contextlib.closing(NameServer(tmp_path)) as names:
        system = make_system(is_listed=False)
        names.addresses[NAME] = "127.0.0.1"
        url = system.settings["DATABASE_URL"].replace("@127.0.0.1", f"@{NAME}")
        system.starter.prefix = names.prefix
        system.start(DATABASE_URL=url)
        workload = Workload(system, clients=4)
        standby = Proxy(target_of(system.pair.standby), host="127.0.0.2", port=system.database_proxy.port)
        with contextlib.closing(standby), workload.running(pause_s=0.02), Probes(workload, count=2) as probes:
            system.database_proxy.go_silent()
            system.pair.kill()
            system.postgres = system.pair.promote()
            names.addresses[NAME] = standby.host
            promoted = time.monotonic()
            answered = probes.wait_for_all(promoted)
            workload.finish()
            heal_drain_check(system, workload)
        expect_in_time(AFTER_LOSS_S, answered - promoted)


@pytest.mark.long
def test_f34_an_asynchronous_standby_loses_whole_orders_only(tmp_path: Path) -> None:
    machine = PairedMachine(tmp_path / "servers", is_synchronous=False)
    try:
        machine.begin()
        system = PairedSystem(machine, tmp_path).start()
        workload = Workload(system, clients=4)
        machine.pair.wire.delay_s = 0.5
        with workload.running(), Probes(workload, count=2) as probes:
            wait_until(lambda: len(workload.requests) > 100, what="they trade")
            fail_over(system, probes, "every process killed")
        drain(system)
        told, gone = placed_and_lost(system, workload)
        assert 0 < len(gone) < told, "the loss that this test is about"
        assert unbalanced(system) == []
        lost = gone[0]
        lost.answers.clear()
        assert workload.clients[0].settle(lost).status == 202, "its key went with it: it can be placed again"
        system.close()
    finally:
        machine.close()
