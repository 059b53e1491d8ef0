"""What people see on a terminal: tables, short lines of the stream, and the progress of long steps."""

import contextlib
import io
import socket

import pytest

from api.commands import output, progress, stream_lines
from tests.support.processes import wait_until
from tests.support.trading import execute
from tests.support.trading import place as place_order


class Terminal(io.StringIO):
    """A text that passes for a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def watched(monkeypatch):
    """Return a function that lets the standard error be a terminal for the rest of a test, and returns it."""

    def make():  # within the test: before it pytest sets the standard error by itself
        shown = Terminal()
        monkeypatch.setattr("sys.stderr", shown)
        return shown

    return make


@pytest.fixture
def on_terminal(monkeypatch):
    """Let the standard output count as a terminal."""
    monkeypatch.setattr(output, "is_terminal", lambda: True)


def test_a_table_has_headings_and_its_columns_stand_below_each_other_in_every_script(on_terminal, capsys):
    wide, combined = "東京", "Zoe\u0308 U\u0308mlaut"  # 4 and 10 columns
    accounts = [{"name": wide, "balance": None}, {"name": combined, "balance": "1000000.00"}]
    output.show(False, accounts, {"NAME": "name", "BALANCE": "balance"})
    assert capsys.readouterr().out.splitlines() == [
        "NAME           BALANCE",
        f"{wide}                 -",
        f"{combined}  1000000.00",
    ]


def test_an_empty_table_says_so_beside_the_output(on_terminal, capsys):
    output.show(False, [], {"NAME": "name"})
    assert tuple(capsys.readouterr()) == ("", "none\n")


def test_programs_get_no_headings_and_json_whenever_they_ask(on_terminal, capsys, monkeypatch):
    output.show(True, [{"name": "A"}], {"NAME": "name"})
    monkeypatch.setattr(output, "is_terminal", lambda: False)
    output.show(False, [{"name": "A"}], {"NAME": "name"})
    assert capsys.readouterr().out == '[{"name":"A"}]\nA\n'


def test_a_long_step_tells_its_time_on_a_terminal_only(watched, monkeypatch):
    terminal = watched()
    monkeypatch.setattr(progress, "FIRST_WORD_S", 0.0)
    with progress.patience("checking"):
        wait_until(lambda: "checking" in terminal.getvalue())
    assert terminal.getvalue().endswith(progress.ERASE)
    monkeypatch.setattr("sys.stderr", silent := io.StringIO())
    with progress.patience("checking"):
        pass
    assert silent.getvalue() == ""


def test_a_short_step_says_nothing(watched):
    terminal = watched()
    with progress.patience("checking"):
        pass
    assert terminal.getvalue() == ""


def test_a_bar_counts_the_pieces_and_ends_its_line_when_they_fail(watched):
    terminal = watched()
    with contextlib.suppress(ValueError), progress.counting(4_000, "saving") as bar:
        bar.update(1_000)
        raise ValueError
    assert "saving" in terminal.getvalue()
    assert terminal.getvalue().endswith("\n")


def test_few_pieces_need_no_bar(watched):
    terminal = watched()
    with progress.counting(4, "saving") as bar:
        bar.update(4)
    assert terminal.getvalue() == ""


@pytest.fixture
def lines(client, account):
    """Return a function that returns the lines of an account's events."""

    def read(owner):
        events = client.get("/api/trading/events?limit=200", headers=owner.headers).get_json()["data"]
        return [stream_lines.line_of(event) for event in events]

    return read


def test_each_event_is_one_short_line(lines, account):
    owner = account("1000.00")
    order = place_order(owner.id, "BUY", 10, "10.00")
    execute(order)
    shown = lines(owner)
    assert [line.split()[1:3] for line in shown] == [
        ["#1", "account.updated"],
        ["#2", "account.updated"],
        ["#3", "account.updated"],
        ["#4", "order.pending"],
        ["#5", "position.updated"],
        ["#6", "order.executed"],
    ]
    assert shown[1].endswith("balance 1000.00, available 1000.00")
    assert shown[3].endswith(f"BUY 10 NSE:RELIANCE LIMIT 10.00  {order['id']}")
    assert shown[4].endswith("NSE:RELIANCE INTRADAY 10 at 10.00, realised 0.00")
    assert shown[5].endswith(f"BUY 10 NSE:RELIANCE LIMIT 10.00, filled at 10.00  {order['id']}")
    assert all(len(line) < 120 for line in shown)


def test_other_messages_are_short_lines_too():
    quote = {"exchange": "NSE", "symbol": "TCS", "lastPrice": "10.00", "bidPrice": "9.95", "askPrice": None}
    quote["quotedAt"] = "2026-11-27T04:00:00.000000Z"
    assert stream_lines.line_of({"type": "quote", "data": quote}) == "09:30:00 quote NSE:TCS 10.00 bid 9.95"
    assert "up to 7 " in stream_lines.line_of({"type": "reset", "lastEventId": 7})
    unknown = {"type": "fund.moved", "id": 8, "at": "2026-11-27T04:00:00.000000Z", "data": {}}
    assert stream_lines.line_of(unknown) == "09:30:00 #8     fund.moved"


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1", "http://", "http://h:x", "http://h/desk", "x"])
def test_an_address_that_is_none_is_refused_with_an_example(run_badly, url):
    assert "such as http://127.0.0.1:8000" in run_badly("stream", "--token", "t", "--url", url)


def test_an_unknown_host_is_refused_and_not_tried_for_ever(run_badly):
    assert "correct --url" in run_badly("stream", "--token", "t", "--url", "http://nowhere.invalid")


def test_without_a_token_the_stream_names_the_command_that_makes_one(run, monkeypatch):
    monkeypatch.delenv("TRADEPOST_TOKEN", raising=False)
    result = run(args=["stream"])
    assert result.exit_code == 2
    assert "`tradepost tokens create`" in result.stderr


def test_a_wrong_port_says_why_before_each_attempt(run, monkeypatch):
    pauses = []

    def sleep(pause_s):
        pauses.append(pause_s)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("api.commands.stream_command.time.sleep", sleep)
    result = run(args=["stream", "--token", "t", "--url", "http://127.0.0.1:1"])
    shown = result.stderr.splitlines()[:3]
    assert shown == [
        f"http://127.0.0.1:1 cannot be reached (Connection refused); reconnecting in {pause_s:g} s"
        for pause_s in (0.25, 0.5, 1)
    ]


def test_a_server_that_never_answers_is_given_up_after_a_time(run, monkeypatch):
    def end(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("api.commands.stream_command.time.sleep", end)
    monkeypatch.setattr("api.commands.stream_command.CONNECT_TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert f"{url} cannot be reached (timed out)" in run(args=["stream", "--token", "t", "--url", url]).stderr
    assert socket.getdefaulttimeout() is None
