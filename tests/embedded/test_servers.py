"""The embedded servers are real, survive Ctrl-C in the terminal, and start again after a kill -9."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

import config
from embedded import processes
from embedded.data_folder import DataFolder
from embedded.postgres import Postgres, ServerError, binary
from embedded.valkey import Valkey
from tests.support.processes import ROOT, wait_until


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    server = Postgres(tmp_path / "postgres", durable=False)
    yield server
    server.stop()
    server.delete()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey")
    yield server
    server.stop()


def query(url: str, sql: str) -> object:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0] if cursor.description else None
    finally:
        connection.close()


def kill(pid: int) -> None:
    process = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not processes.is_alive(process))


def test_postgres_is_durable_and_takes_200_connections(postgres: Postgres) -> None:
    postgres.start()
    wanted = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_connections": "200"}
    assert {name: query(postgres.url(), f"SHOW {name}") for name in wanted} == wanted
    assert int(str(query(postgres.url(), "SHOW server_version_num"))) >= 150000


def test_postgres_listens_on_no_port(postgres: Postgres) -> None:
    postgres.start()
    assert query(postgres.url(), "SHOW listen_addresses") == ""
    assert config.load({"DATABASE_URL": postgres.url("a")}).database_url == postgres.url("a")


def test_postgres_keeps_its_data_over_a_restart(postgres: Postgres) -> None:
    postgres.start()
    postgres.create_database("kept")
    postgres.create_database("kept")
    query(postgres.url("kept"), "CREATE TABLE thing AS SELECT 7 AS number")
    for mode in ("fast", "immediate"):
        postgres.stop(mode=mode)
        assert postgres.pid is None
        postgres.start()
        assert query(postgres.url("kept"), "SELECT number FROM thing") == 7


def test_a_postgres_left_running_is_adopted(postgres: Postgres, tmp_path: Path) -> None:
    postgres.start()
    later = Postgres(tmp_path / "postgres")
    later.start()
    assert later.pid == postgres.pid


def test_a_killed_postgres_starts_again(postgres: Postgres) -> None:
    postgres.start()
    kill(postgres.pid or 0)
    postgres.start()
    assert query(postgres.url(), "SELECT 1") == 1


def test_a_suspended_postgres_that_does_not_answer_is_replaced(postgres: Postgres) -> None:
    postgres.start()
    os.kill(postgres.pid or 0, signal.SIGSTOP)
    postgres.start()
    assert query(postgres.url(), "SELECT 1") == 1


def test_a_stale_pid_of_another_program_is_left_alone(postgres: Postgres) -> None:
    postgres.start()
    lines = (postgres.data / "postmaster.pid").read_text().splitlines()
    kill(postgres.pid or 0)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        (postgres.data / "postmaster.pid").write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        assert postgres.pid is None
        postgres.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
        (postgres.data / "postmaster.pid").unlink()


def test_an_initdb_that_was_cut_off_is_done_again(postgres: Postgres) -> None:
    (postgres.folder / "data.new").mkdir(parents=True)
    (postgres.folder / "data.new" / "PG_VERSION").write_text("18")
    postgres.start()
    assert query(postgres.url(), "SELECT 1") == 1


def test_a_deep_folder_gets_a_socket_elsewhere(tmp_path: Path) -> None:
    server = Postgres(tmp_path / ("deep" * 20) / "postgres", durable=False)
    try:
        server.start()
        assert not server.socket_directory.is_relative_to(server.folder)
        assert query(server.url(), "SELECT 1") == 1
    finally:
        server.stop()
        server.delete()
    assert not server.socket_directory.exists()


def test_a_folder_with_a_space_and_quotes_works(tmp_path: Path) -> None:
    server = Postgres(tmp_path / 'it\'s a "folder"', durable=False)
    try:
        server.start()
        assert query(server.url(), "SELECT 1") == 1
    finally:
        server.stop()
        server.delete()


def test_the_programs_of_the_benchmarks_are_there() -> None:
    assert binary("pgbench").exists()
    assert binary("psql").exists()
    with pytest.raises(ServerError, match="oracle"):
        binary("oracle")


def test_valkey_keeps_its_port_and_data_over_a_restart(valkey: Valkey, tmp_path: Path) -> None:
    valkey.start()
    port = valkey.port
    redis.Redis.from_url(valkey.url).set("kept", "yes")
    valkey.stop()
    assert valkey.pid is None
    valkey.start()
    assert valkey.port == port
    assert redis.Redis.from_url(valkey.url).get("kept") == b"yes"
    assert Valkey(tmp_path / "valkey").url == valkey.url


def test_a_valkey_left_running_is_replaced(valkey: Valkey, tmp_path: Path) -> None:
    valkey.start()
    redis.Redis.from_url(valkey.url).set("kept", "yes")
    left = valkey.pid
    later = Valkey(tmp_path / "valkey")
    later.start()
    try:
        assert later.pid not in (None, left)
        assert later.url == valkey.url
        assert redis.Redis.from_url(later.url).get("kept") == b"yes"
    finally:
        later.stop()


def test_valkey_takes_another_port_when_its_own_is_taken(valkey: Valkey, tmp_path: Path) -> None:
    other = Valkey(tmp_path / "other")
    other.start()
    try:
        valkey.port = other.port
        valkey.start()
        assert valkey.port != other.port
    finally:
        other.stop()


def test_a_killed_valkey_starts_again(valkey: Valkey) -> None:
    valkey.start()
    kill(valkey.pid or 0)
    valkey.start()
    assert redis.Redis.from_url(valkey.url).ping()


def test_the_servers_do_not_hear_the_terminals_interrupt(postgres: Postgres, valkey: Valkey) -> None:
    postgres.start()
    valkey.start()
    for pid in (postgres.pid, valkey.pid):
        assert os.getpgid(pid or 0) != os.getpgid(0)
        assert os.getsid(pid or 0) != os.getsid(0)


def test_a_data_folder_has_one_run_and_its_lock_dies_with_it(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from embedded.data_folder import DataFolder\n"
        "folder = DataFolder(Path(sys.argv[1])); print(folder.acquire(), flush=True)\n"
        "os.fork() and time.sleep(60) or time.sleep(3)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    holder = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert not DataFolder(tmp_path).acquire()
    finally:
        holder.kill()
        holder.wait()
    assert DataFolder(tmp_path).acquire()


def test_private_files_are_private(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    secret = folder.cron_secret()
    assert folder.cron_secret() == secret
    assert len(secret) >= config.MIN_SECRET_LENGTH
    folder.write_environment({"DATABASE_URL": "postgres://a/b"}, ["DATABASE_URL"])
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("cron_secret", "env")} == {0o600}
    assert config.read_saved_environment(tmp_path)["DATABASE_URL"] == "postgres://a/b"


def test_processes_of_an_earlier_run_are_found_and_others_are_not(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    left = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    folder = DataFolder(tmp_path)
    try:
        wait_until(lambda: len(processes.group_members(left.pid)) == 2)
        folder.remember_processes([left.pid])
        left.kill()
        left.wait()
        assert len(folder.leftovers()) == 1
        processes.stop_all(folder.leftovers(), timeout_s=5)
        wait_until(lambda: not folder.leftovers())
    finally:
        processes.stop_all(processes.group_members(left.pid), timeout_s=1)
    stranger = processes.record(os.getpid())
    assert stranger is not None
    assert processes.find(stranger) is not None
    assert processes.find({"pid": os.getpid(), "created": time.time() + 100}) is None
