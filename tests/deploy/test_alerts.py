"""Prometheus's own promtool evaluates the alerts of the market over series that an operator would see."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.processes import ROOT

RULES = ROOT / "docs" / "observability" / "prometheus-rules.yaml"
LATE = 'tradepost_matches_found_late_total{process="worker", rule="book"}'
MATCH, FILL = (
    "tradepost_match_seconds_bucket" + '{by="quote", process="web", le="%s"}',
    "tradepost_fill_seconds_bucket" + '{outcome="executed", process="worker", le="%s"}',
)
BEHIND, DUE = "tradepost_expiry_behind_seconds", "tradepost_oldest_pending_seconds"
DAYS_LEFT = "tradepost_session_days_left"
SQUARE_OFF = 'tradepost_daily_work_behind_seconds{work="square-off"}'

# An alert, the values of its series from minute to minute, and whether it fires after ten of them.
CASES: tuple[tuple[str, dict[str, str], bool], ...] = (
    ("MatchesLate", {LATE: "0x10"}, False),
    ("MatchesLate", {LATE: "0x5 1x5"}, True),
    ("ExpiryBehind", {BEHIND: "0x10"}, False),
    ("ExpiryBehind", {BEHIND: "25x10"}, False),
    ("ExpiryBehind", {BEHIND: "0x5 31x5"}, True),
    ("SquareOffBehind", {SQUARE_OFF: "0x10"}, False),
    ("SquareOffBehind", {SQUARE_OFF: "0+60x5 0x5"}, False),
    ("SquareOffBehind", {SQUARE_OFF: "0+60x10"}, True),
    ("SessionsEndSoon", {DAYS_LEFT: "8-1x10"}, False),
    ("SessionsEndSoon", {DAYS_LEFT: "6x20"}, True),
    ("SessionsEnd", {DAYS_LEFT: "1x20"}, False),
    ("SessionsEnd", {DAYS_LEFT: "0x20"}, True),
    ("MatchesSlow", {MATCH % "0.5": "0+60x10", MATCH % "1.0": "0+60x10", MATCH % "+Inf": "0+60x10"}, False),
    ("MatchesSlow", {MATCH % "0.5": "0+50x10", MATCH % "1.0": "0+60x10", MATCH % "+Inf": "0+60x10"}, True),
    ("FillsSlow", {FILL % "1.0": "0+60x10", FILL % "2.5": "0+60x10", FILL % "+Inf": "0+60x10"}, False),
    (
        "FillsSlow",
        {FILL % "1.0": "0+50x10", FILL % "2.5": "0+50x10", FILL % "5.0": "0+60x10", FILL % "+Inf": "0+60x10"},
        True,
    ),
    ("OrdersWaitTooLong", {DUE: "0x10"}, False),
    ("OrdersWaitTooLong", {DUE: "0x5 6x5"}, True),
)


def evaluate(folder: Path, *cases: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run promtool over these cases."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not on PATH: it comes with Prometheus, and evaluates the alerts")
    path = folder / "cases.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "15s", "tests": list(cases)}))
    return subprocess.run([program, "test", "rules", str(path)], capture_output=True, text=True, timeout=60)


def case(alert: str, series: dict[str, str], *, fires: bool) -> dict[str, Any]:
    """Return a case in the words of promtool; which labels and texts an alert has is not asked."""
    expected = "1" if fires else "0"
    query = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) or vector(0)'
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": query, "eval_time": "10m", "exp_samples": [{"labels": "{}", "value": float(expected)}]}
        ],
    }


@pytest.mark.parametrize(("alert", "series", "fires"), CASES)
def test_an_alert_of_the_market_fires_when_it_should_and_not_before(
    alert: str, series: dict[str, str], fires: bool, tmp_path: Path
) -> None:
    done = evaluate(tmp_path, case(alert, series, fires=fires))
    assert done.returncode == 0, done.stdout + done.stderr
    assert evaluate(tmp_path, case(alert, series, fires=not fires)).returncode != 0
