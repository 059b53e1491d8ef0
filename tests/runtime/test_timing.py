"""The stopwatch."""

import pytest

from runtime.timing import Stopwatch


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
