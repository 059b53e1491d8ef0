"""The stopwatch."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.timing import Stopwatch, stopwatch, timed


def test_steps_are_kept_in_the_order_taken():
    watch = Stopwatch()
    watch.record("order", 1.5)
    watch.lap("stock")
    with watch.step("commit"):
        pass
    assert list(watch.steps) == ["order", "stock", "commit"]
    assert watch.steps["order"] == 1.5


def test_a_lap_reaches_back_to_the_last_mark(monkeypatch):
    ticks = iter([0.0, 10.0, 10.5, 11.5])
    monkeypatch.setattr("runtime.timing.time.perf_counter", lambda: next(ticks))
    watch = Stopwatch()
    watch.mark()
    watch.lap("stock")
    watch.lap("margin")
    assert watch.steps == {"stock": 500.0, "margin": 1000.0}


def test_a_step_that_raises_is_measured_too(monkeypatch):
    ticks = iter([0.0, 2.0, 2.25])
    monkeypatch.setattr("runtime.timing.time.perf_counter", lambda: next(ticks))
    watch = Stopwatch()
    with pytest.raises(KeyError), watch.step("stock"):
        raise KeyError
    assert watch.steps == {"stock": 250.0}


def test_the_code_inside_a_timed_block_finds_its_stopwatch() -> None:
    with timed() as outer:
        stopwatch().record("stock", 1.0)
        with timed() as inner:
            stopwatch().record("order", 2.0)
        stopwatch().record("ledger", 3.0)
    assert outer.steps == {"stock": 1.0, "ledger": 3.0}
    assert inner.steps == {"order": 2.0}


def test_outside_a_timed_block_steps_are_recorded_for_nobody() -> None:
    with pytest.raises(KeyError), timed() as watch:
        raise KeyError
    stopwatch().record("order", 1.0)
    assert watch.steps == stopwatch().steps == {}


def test_each_thread_has_its_own_timed_block() -> None:
    def work(name: str) -> dict[str, float]:
        with timed() as watch:
            barrier.wait(10)
            stopwatch().record(name, 1.0)
            barrier.wait(10)
        return watch.steps

    barrier = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, ["stock", "order"])) == [{"stock": 1.0}, {"order": 1.0}]
