"""docs/performance.md matches the committed results."""

import json

import pytest

from bench.reports.figures import Figure, table
from bench.reports.page import GROWTH, LISTENERS, LIVE_QUOTES, MATCHING, PUBLISHED, TICKERS, committed, section
from bench.reports.publication import FOLDER, PAGE, profiles_page, with_section

ROWS = ("placements", "placements_one_account", "tail", "placed_and_executed", "accepted_to_executed")
ROWS += ("worker_beside", "worker_beside_paced", "idle_commands", "idle_processor", "sweeping", "start")
OF_THE_MARKET = ("quotes_beside_resting", "quotes_paced", "quote_to_fill", "quote_to_socket", "crossed_at_once")
OF_THE_MARKET += ("placements_beside_crossing", "expiry")


@pytest.mark.skipif(not PUBLISHED.exists(), reason="no published results: python -m bench && python -m bench.publish")
def test_the_page_and_the_profiles_match_the_results() -> None:
    results = json.loads(PUBLISHED.read_text())
    assert {figure["name"] for figure in results["figures"]} == set(ROWS)
    assert results["rounds"] >= 5
    assert results["wrong"] == []
    assert PAGE.read_text() == with_section(PAGE.read_text(), section(results))
    assert (FOLDER / "profiles.md").read_text() == profiles_page(results)


def test_the_results_of_the_other_commands_are_committed_and_right() -> None:
    for path in (GROWTH, LISTENERS, LIVE_QUOTES, TICKERS):
        results = committed(path)
        assert results is not None, path
        assert not (results["verify"] if path == GROWTH else results)["wrong"]


def test_the_results_of_the_market_are_right_if_they_are_published() -> None:
    results = committed(MATCHING)
    if results is None:
        pytest.skip("no results of the market: python -m bench --parts matching")
    assert results["wrong"] == []
    assert {figure["name"] for figure in results["figures"]} == set(OF_THE_MARKET)


@pytest.mark.parametrize(("ratio", "verdict"), [(0.30, "yes: 0.3"), (0.29, "**no**: 0.29")])
def test_the_table_shows_a_missed_goal(ratio: float, verdict: str) -> None:
    figure = Figure("placements", "placements", "orders/s", [100 * ratio] * 3, "pgbench", [100.0, 50.0, 200.0])
    figure.at_least("ratio", figure.ratio or 0.0, 0.30)
    assert table([figure.as_dict()]).splitlines()[-1].endswith(f"| ratio ≥ 0.3 | {verdict} |")
