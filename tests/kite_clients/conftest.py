"""All versions of the official clients at once, each with an account of its own, before real web and worker processes.

They trade and then listen for a minute, so all that they see is kept and each test looks at a part of it.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.kite_clients.market import Market
from tests.kite_clients.sessions import CLIENTS, Client, Session, open_accounts, start
from tests.support.processes import ProcessStarter, command_environment
from trading.rules.sessions import INDIAN_TIME

# A minute in all. A client in JavaScript would connect again after 5 s of silence, one in Python close after 30 s.
QUOTED_S, SILENT_S, LAST_S = 10, 45, 5
PAUSE_S = 0.5
# Quotes of any age are usable, because a busy machine may take a minute for the sessions' trading.
SETTINGS = {"RECORD_CANDLES": "on", "UNKNOWN_SYMBOLS": "refuse", "MAX_QUOTE_AGE_S": "0"}
# The sessions take less than this, and read the orders of their day.
ENOUGH = timedelta(seconds=100)
# All of the sessions are part of the first test; a busy machine takes some minutes for them.
PATIENCE_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the tests of this package more time than others."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(PATIENCE_S))


@pytest.fixture(scope="package")
def sessions(
    setting_values: dict[str, str],
    configured: None,
    empty_all: Callable[[], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[Client, Session]:
    """Let every client that can be installed trade and listen, and return what each has seen."""
    _wait_for_a_day_that_lasts()
    empty_all()
    environment = command_environment(setting_values | SETTINGS)
    starter = ProcessStarter(environment, tmp_path_factory.mktemp("kite-clients"))
    started: dict[Client, Session] = {}
    try:
        market = Market(starter.web())
        market.open()
        starter.worker()
        secrets = open_accounts(CLIENTS)
        for client in CLIENTS:
            started[client] = start(client, market.instructions(secrets[client]))
        _conduct([session for session in started.values() if session.process], market)
        return started
    finally:
        for session in started.values():
            session.stop()
        starter.stop()


@pytest.fixture(params=CLIENTS, ids=str)
def session(request: pytest.FixtureRequest, sessions: dict[Client, Session]) -> Session:
    """Return the session of each client in turn."""
    session = sessions[request.param]
    if session.reason:
        pytest.skip(session.reason)
    return session


def _wait_for_a_day_that_lasts() -> None:
    now = datetime.now(INDIAN_TIME)
    end = datetime.combine(now + timedelta(days=1), time(), INDIAN_TIME)
    if end - now < ENOUGH:
        sleep((end - now).total_seconds())


def _conduct(sessions: list[Session], market: Market) -> None:
    """Let the clients trade, and then listen while the market moves, stands still, and moves again."""
    for session in sessions:
        session.read_trading()
    for session in sessions:
        session.say_next()
    began_at = monotonic()
    market.move_for(QUOTED_S, PAUSE_S)
    market.fall_to_the_stops()
    sleep(SILENT_S)  # silence is the test
    market.move_for(LAST_S, PAUSE_S)
    market.end()
    for session in sessions:
        session.say_next()
        session.listened_s = monotonic() - began_at
        session.read_listening()
