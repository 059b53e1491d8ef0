"""An export from a real web process that is broken off half way: the client notices it."""

import http.client
import socket
from typing import Any

import pytest

from models import buckets
from tests.support.processes import Running
from tests.support.trading import run

MANY = 60_000  # some megabytes, more than sockets keep for a reader that has stopped
FEW = 1_200
INSERT = """
INSERT INTO fund_transaction (account_id, id, kind, amount, balance_after, blocked_after)
SELECT account.id, last_entry_id + number, 'DEPOSIT', 1, number, 0
FROM account, generate_series(1, %s) AS number WHERE account.id = %s
"""


class SmallBuffer(http.client.HTTPConnection):
    """A connection of which the system keeps little that was not read."""

    def connect(self) -> None:
        """Connect with a small buffer."""
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        self.sock.settimeout(30)
        self.sock.connect((self.host, self.port))


@pytest.fixture
def begin(web: Running, account: Any) -> Any:
    """Return a function that begins an export of an account with this many deposits."""

    def request(entries: int) -> http.client.HTTPResponse:
        trader = account()
        with buckets.of(trader.id):
            run(INSERT, entries, trader.id)
        link = SmallBuffer("127.0.0.1", web.port)
        link.request("GET", "/api/trading/transactions", headers=trader.headers | {"Accept": "text/csv"})
        response = link.getresponse()
        assert (response.status, response.headers["Transfer-Encoding"]) == (200, "chunked")
        return response

    return request


def test_an_export_that_is_read_to_its_end_is_whole(begin: Any) -> None:
    assert begin(FEW).read().count(b"\r\n") == 1 + FEW + 1  # the headings, and the opening balance


@pytest.mark.one_bucket("it renames a table, and the other buckets keep theirs")
def test_a_body_that_is_broken_off_is_no_whole_file(web: Running, begin: Any) -> None:
    response = begin(MANY)
    response.read(1_000)
    # Waits for every transaction that has read the table: a slow reader has none.
    run("ALTER TABLE fund_transaction RENAME TO fund_transaction_gone")
    try:
        with pytest.raises(http.client.IncompleteRead):
            response.read()
        assert "export_cut" in web.log
        assert "Traceback" not in web.log
    finally:
        run("ALTER TABLE fund_transaction_gone RENAME TO fund_transaction")
