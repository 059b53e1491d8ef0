"""All versions of the official clients at once, each with an account of its own, before real web and worker processes.

They trade and then listen for a minute, so all that they see is kept and each test looks at a part of it.
"""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.kite_clients.market import Market
from tests.kite_clients.sessions import CLIENTS, Client, Session, open_accounts, start
from tests.support.processes import ProcessStarter, command_environment

# A minute in all. A client in JavaScript would connect again after 5 s of silence, one in Python close after 30 s.
QUOTED_S, SILENT_S, LAST_S = 10, 45, 5
PAUSE_S = 0.5


@pytest.fixture(scope="package")
def sessions(
    setting_values: dict[str, str],
    configured: None,
    empty_all: Callable[[], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[Client, Session]]:
    """Let every client that can be installed trade and listen, and return what each has seen."""
    empty_all()
    starter = ProcessStarter(command_environment(setting_values), tmp_path_factory.mktemp("kite-clients"))
    try:
        market = Market(starter.web(RECORD_CANDLES="on", UNKNOWN_SYMBOLS="refuse"))
        market.open()
        starter.worker()
        secrets = open_accounts(CLIENTS)
        started = {client: start(client, market.instructions(secrets[client])) for client in CLIENTS}
        _conduct([session for session in started.values() if session.process], market)
        yield started
    finally:
        starter.stop()


@pytest.fixture(params=CLIENTS, ids=str)
def session(request: pytest.FixtureRequest, sessions: dict[Client, Session]) -> Session:
    """Return the session of each client in turn."""
    session = sessions[request.param]
    if session.reason:
        pytest.skip(session.reason)
    return session


def _conduct(sessions: list[Session], market: Market) -> None:
    """Let the clients trade, and then listen while the market moves, stands still, and moves again."""
    for session in sessions:
        session.read_trading()
    for session in sessions:
        session.say_next()
    began_at = time.monotonic()
    market.move_for(QUOTED_S, PAUSE_S)
    market.fall_to_the_stops()
    time.sleep(SILENT_S)  # silence is the test
    market.move_for(LAST_S, PAUSE_S)
    market.end()
    for session in sessions:
        session.say_next()
        session.listened_s = time.monotonic() - began_at
        session.read_listening()
