"""The demo account fills against quotes; one of an existing data folder stays as it is."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.processes import ROOT
from tests.support.trading import one, run
from trading.accounts.administration import change_account

SEED = "import config, os; from embedded.seed import seed; print(seed(config.load(os.environ)).account_id)"


def seed(environment: dict[str, str]) -> str:
    """Seed the demo as `make run` does, and return the id of its account."""
    done = subprocess.run([sys.executable, "-c", SEED], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_demo_account_fills_against_quotes_and_an_existing_one_stays(
    process_environment: dict[str, str], tmp_path: Path, configured: None
) -> None:
    environment = process_environment | {"DATA_DIR": str(tmp_path)}
    account_id = seed(environment)
    assert one("SELECT fill_model FROM account WHERE id = %s", account_id) == "QUOTES"
    stock = "SELECT last_price::text FROM stock WHERE exchange = 'NSE' AND symbol = 'RELIANCE'"
    assert one(stock) == "2500.00"
    assert one("SELECT bool_and(is_usable AND name IS NOT NULL) FROM stock")
    assert one("SELECT instrument_token FROM stock WHERE exchange = 'NSE' AND symbol = 'INFY'") == 408065
    assert one("SELECT bool_and(instrument_token / 256 < 4000000 AND isin IS NOT NULL) FROM stock")
    change_account(json.loads((tmp_path / "demo.json").read_text())["account_id"], {"fill_model": "IMMEDIATE"})
    run("UPDATE stock SET name = CASE symbol WHEN 'TCS' THEN 'Mine' END WHERE symbol IN ('TCS', 'INFY')")
    run("UPDATE stock SET isin = NULL, instrument_token = synthetic_token(exchange) WHERE symbol = 'TCS'")
    run("UPDATE stock SET instrument_token = 5633 WHERE symbol = 'ITC'")  # and an ISIN, as from an import
    assert seed(environment) == account_id
    assert one("SELECT array_agg(fill_model::text) FROM account") == ["IMMEDIATE"]
    names = "SELECT array_agg(DISTINCT name ORDER BY name) FROM stock WHERE symbol IN ('TCS', 'INFY')"
    assert one(names) == ["Infosys", "Mine"]
    tokens = "SELECT array_agg(instrument_token::integer) FROM stock WHERE symbol IN ('TCS', 'ITC')"
    assert sorted(one(tokens)) == [5633, 2953217, 136330244]
