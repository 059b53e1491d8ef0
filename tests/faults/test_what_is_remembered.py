"""G6, G20 and G21: a restored backup, a database's clock that went back, a check of the ledger that takes long."""

import functools

import pytest

from tests.faults.checks import SWEPT_S, drain, heal_drain_check, pending_orders
from tests.faults.machine import administer
from tests.faults.system import System
from tests.faults.test_repetition import cron
from tests.faults.workload import Workload

pytestmark = pytest.mark.faults

NOBODY = "redis://127.0.0.1:1/0"  # nothing is sent
CHECK_S = 60.0  # longer than everything that is waited for


def back_up(system: System, copy: str) -> None:
    """Copy the system's database as it is; everybody is cut off for the moment that this takes."""
    administer(system.postgres, f"ALTER DATABASE {system.name} ALLOW_CONNECTIONS false")
    sessions = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{system.name}'"
    administer(system.postgres, sessions)
    administer(system.postgres, f"CREATE DATABASE {copy} TEMPLATE {system.name}")
    administer(system.postgres, f"ALTER DATABASE {system.name} ALLOW_CONNECTIONS true")


def restore(system: System, copy: str) -> None:
    """Put a copy in the place of the system's database."""
    administer(system.postgres, f"DROP DATABASE {system.name} WITH (FORCE)")
    administer(system.postgres, f"ALTER DATABASE {copy} RENAME TO {system.name}")


def test_g6_a_fill_that_a_restored_backup_undoes_is_repeated_by_the_same_worker(system: System) -> None:
    system.start_web()
    workload = Workload(system, clients=1)
    for _ in range(3):
        workload.clients[0].place(side="BUY")
    back_up(system, f"{system.name}_copy")
    system.start_worker(WORKER_PROCESSES="1")
    drain(system)
    restore(system, f"{system.name}_copy")
    assert pending_orders(system) == 3
    drain(system, timeout_s=SWEPT_S)
    heal_drain_check(system, workload)


def test_g20_orders_and_marks_from_before_the_clock_went_back_are_executed_at_once(system: System) -> None:
    system.start_web(REDIS_URL=NOBODY)
    workload = Workload(system, clients=1)
    for _ in range(4):
        workload.clients[0].place(side="BUY")
    change = functools.partial(system.change, workload.clients[0].account_id)
    change("UPDATE trading_order SET placed_at = placed_at + interval '120 s', due_at = due_at + interval '120 s'")
    marked = "SELECT id FROM trading_order ORDER BY placed_at LIMIT 2"
    change(f"UPDATE trading_order SET retry_at = placed_at + interval '2 s' WHERE id IN ({marked})")
    assert cron(system, limit=1)["executed"] == 1
    assert pending_orders(system) == 3
    system.start_worker()
    drain(system, timeout_s=SWEPT_S)
    heal_drain_check(system, workload)


def test_g21_no_order_and_no_sweep_waits_for_the_check_of_the_ledger(system: System) -> None:
    system.start_web(REDIS_URL=NOBODY)
    check = system.arm("ledger_check_sleeps", str(CHECK_S))
    system.start_worker(WORKER_PROCESSES="1", WORKER_THREADS="1")
    system.wait_for_hit(check)
    workload = Workload(system, clients=1)
    system.enqueue(workload.clients[0].place(side="BUY").document["orderId"], times=1)
    workload.clients[0].place(side="SELL")  # which only a sweep finds
    drain(system, timeout_s=SWEPT_S)
    assert system.sql("SELECT count(*) FROM ledger_check") == [(0,)]  # it goes on still
    heal_drain_check(system, workload)
