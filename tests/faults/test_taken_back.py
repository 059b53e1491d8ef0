"""F35: a late standby or a backup replaces the database, without events that listeners have received."""

import contextlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import requests
import websockets

from api.commands.stream_command import follow
from tests.faults.machine import Machine
from tests.faults.successors import Backup, LateStandby
from tests.faults.system import System
from tests.realtime.clients import ServerSentEvents, Stream, ids
from tests.realtime.conftest import RENAMES
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults

LOST = 4  # events of each account that are taken back
# How many events each account has in the new history when the processes see it first.
NEW = {"fewer": 2, "as many": LOST, "more": 10, "left": 10}


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """Return a system whose PostgreSQL may be lost for good."""
    machine = Machine(tmp_path / "machine")
    try:
        machine.start()
        machine.make_template()
        system = System(machine, tmp_path)
        yield system
        system.close()
    finally:
        machine.close()


@pytest.fixture
def successor(request: pytest.FixtureRequest, system: System, tmp_path: Path) -> Iterator[LateStandby | Backup]:
    """Return the server or copy that will replace the system's PostgreSQL."""
    successor = request.param(system, tmp_path)
    yield successor
    successor.close()


class Account:
    """An account of whose events some are taken back."""

    def __init__(self, system: System, name: str) -> None:
        self._system = system
        self.id = self._post("accounts", {"name": name, "openingBalance": "1000.00"})["tradingAccountId"]
        self.token_id, self.token = self.make_token()
        self.start = self._last()

    def make_token(self) -> tuple[str, str]:
        """Return another token's id and secret."""
        made = self._post(f"accounts/{self.id}/tokens", {"scopes": ["read"]})
        return made["tokenId"], made["token"]

    def change(self, times: int, text: str) -> None:
        """Make events, each with this text and a number."""
        self._system.sql(RENAMES.replace("%s", "{}").format(times, f"'{text}'", f"'{self.id}'"))

    def listen(self, query: str = "", port: int | None = None) -> Stream:
        """Return a listener, as soon as the database answers again."""

        def connect() -> Stream | None:
            with contextlib.suppress(websockets.InvalidStatus):
                return Stream(port or self._system.web_port, self.token, query=query)
            return None

        stream: Stream = wait_until(connect, what="a stream is open")
        return stream

    def status(self, token: str) -> int:
        """Return how a request with a token is answered."""
        url = f"{self._system.base_url}/api/trading/account"
        return requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=15).status_code

    def _last(self) -> int:
        return int(self._system.sql("SELECT last_event_id FROM account WHERE id = %s", self.id)[0][0])

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"Authorization": f"Bearer {self._system.admin_token}"}
        answer = requests.post(f"{self._system.base_url}/api/admin/{path}", json=body, headers=headers, timeout=15)
        assert answer.status_code == 201, answer.text
        return answer.json()


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["name"] for event in events]


def numbered(text: str, first: int, last: int) -> list[str]:
    return [f"{text}{number}" for number in range(first, last + 1)]


both = pytest.mark.parametrize("successor", [LateStandby, Backup], indirect=True)


@both
def test_f35_listeners_to_lost_events_are_reset_and_receive_the_new_ones(
    system: System, successor: LateStandby | Backup
) -> None:
    system.start_web()
    accounts = {name: Account(system, name) for name in (*NEW, "kept")}
    successor.fall_behind()
    streams = {name: account.listen() for name, account in accounts.items()}
    for name, stream in streams.items():
        assert stream.ready() == accounts[name].start
    blocks = ServerSentEvents(system.web_port, accounts["more"].token)
    blocks.take(1)
    lines = follow(system.base_url, accounts["more"].token, accounts["more"].start, None)
    for name in NEW:
        accounts[name].change(LOST, "Lost ")
        assert names(streams[name].events(LOST)) == numbered("Lost ", 1, LOST)
    assert len(blocks.take(LOST)) == LOST
    assert len(list(islice(lines, LOST))) == LOST
    streams["left"].socket.close()
    successor.take_over()
    for name, times in NEW.items():
        accounts[name].change(times, "New ")
    successor.show()

    for name in ("fewer", "as many", "more"):
        start = accounts[name].start
        assert streams[name].next() == {"type": "reset", "lastEventId": start}
        events = streams[name].events(NEW[name])
        assert ids(events) == list(range(start + 1, start + 1 + NEW[name]))
        assert names(events) == numbered("New ", 1, NEW[name])
    reset, *events = blocks.take(1 + NEW["more"])
    assert (reset["event"], reset["id"]) == ("reset", str(accounts["more"].start))
    assert names([block["data"] for block in events]) == numbered("New ", 1, NEW["more"])
    told = [json.loads(line) for line in islice(lines, 1 + NEW["more"])]
    assert told == [block["data"] for block in (reset, *events)]
    accounts["kept"].change(1, "New ")
    assert names([streams["kept"].next()]) == ["New 1"]  # nothing was taken back here
    for name in ("left", "more"):
        expect_resets_of_those_who_come_back(system, accounts[name], NEW[name])


def expect_resets_of_those_who_come_back(system: System, account: Account, new: int) -> None:
    """Resume from event ids that no longer exist, in each way and at another process, and from ids that do."""
    newest = account.start + new
    other = system.starter.web()
    for since in (account.start + LOST, account.start + 1):
        for port in (system.web_port, other.port):
            with account.listen(f"?since={since}", port) as stream:
                assert stream.ready() == newest
                assert stream.next() == {"type": "reset", "lastEventId": newest}
        ready, reset = ServerSentEvents(system.web_port, account.token, query=f"?since={since}").take(2)
        assert (ready["event"], reset["event"], reset["id"]) == ("ready", "reset", str(newest))
        headers = {"Authorization": f"Bearer {account.token}"}
        page = requests.get(f"{system.base_url}/api/trading/events?since={since}", headers=headers, timeout=15).json()
        assert page["reset"] is True
    for since in (account.start, account.start + LOST + 1):
        with account.listen(f"?since={since}") as stream:
            assert stream.ready() == newest
            assert names(stream.events(newest - since)) == numbered("New ", since - account.start + 1, new)


@both
def test_f35_cached_tokens_give_way_to_those_of_the_restored_database(
    system: System, successor: LateStandby | Backup
) -> None:
    system.start_web()
    account = Account(system, "tokens")
    revoked_id, revoked = account.make_token()
    successor.fall_behind()
    _, made = account.make_token()
    admin = {"Authorization": f"Bearer {system.admin_token}"}
    requests.delete(f"{system.base_url}/api/admin/tokens/{revoked_id}", headers=admin, timeout=15)
    assert [account.status(token) for token in (account.token, made, revoked)] == [200, 200, 401]
    stream = Stream(system.web_port, made)
    stream.ready()
    account.change(1, "Heard ")
    stream.next()
    successor.take_over()
    successor.show()
    wait_until(lambda: account.status(account.token) == 200, what="the database answers again")
    wait_until(lambda: account.status(made) == 401, what="a token that was never made is unknown")
    wait_until(lambda: account.status(revoked) == 200, what="a revocation that was taken back is none")
    assert account.status(account.token) == 200
    assert stream.close_code() == 4401
