"""The command `stream`: print an account's events, and live quotes, as they come; miss no event."""

import contextlib
import functools
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import click
import simple_websocket
from flask import current_app
from flask.cli import with_appcontext
from simple_websocket import Client, ConnectionClosed
from wsproto.utilities import ProtocolError

import config

from .output import is_terminal
from .progress import is_watched
from .stream_lines import line_of

FINAL_CLOSES = (4401, 1008)  # a bad token, an invalid request
# A daemon, so that Ctrl-C ends the process at once even while the connection's thread waits.
DaemonThread = functools.partial(threading.Thread, daemon=True)
CONNECT_TIMEOUT_S = 10.0
FIRST_PAUSE_S, MAX_PAUSE_S = 0.25, 5.0
OF_QUOTES, NOT_PRINTED = ("quote", "watching", "problem"), ("ready", "watching", "problem")


@click.command("stream")
@click.option(
    "--token", envvar="TRADEPOST_TOKEN", show_envvar=True, help="A token with the scope read or admin; required."
)
@click.option("--since", type=click.IntRange(min=0), help="Print the events after this one first.")
@click.option("--watch", "watched", multiple=True, metavar="NSE:RELIANCE", help="Print this stock's quotes too.")
@click.option("--account", "account_id", help="The account to listen to; required with an admin token.")
@click.option(
    "--url",
    envvar="TRADEPOST_URL",
    show_envvar=True,
    help="The service's address. Default: that of `make run`, or http://127.0.0.1:$PORT.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON on a terminal too.")
@with_appcontext
def stream_command(
    token: str | None,
    since: int | None,
    watched: Sequence[str],
    account_id: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Print an account's events as they come: short lines on a terminal, lines of JSON for programs.

    Times of short lines are those of India. After a failure the command reconnects and continues with the next event.
    --watch may be given up to 200 times; a stock's quotes come at most four times a second.
    """
    if not token:
        raise click.UsageError("--token or TRADEPOST_TOKEN is required: `tradepost tokens create` makes a token.")
    base = _checked(url or _local_url(current_app.config["SETTINGS"]))
    is_short = is_terminal() and not as_json
    for text in follow(base, token, since, account_id, watched):
        click.echo(line_of(json.loads(text)) if is_short else text)


def _local_url(settings: config.Settings) -> str:
    """Return the address that `make run` has saved, or else that of PORT in this shell."""
    saved = {} if settings.is_production else config.read_saved_environment(settings.data_dir)
    return saved.get("TRADEPOST_URL", f"http://127.0.0.1:{settings.port}")


def _checked(url: str) -> str:
    """Return a service's address without its last slash, or end the command if it is none."""
    try:
        address = urlsplit(url.strip())
        is_good = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:  # a port that is no number
        is_good = False
    if not is_good or address.path not in ("", "/"):
        raise click.ClickException(f"--url must be an address such as http://127.0.0.1:8000, not {url!r}.")
    return f"{address.scheme}://{address.netloc}"


def follow(
    base: str, token: str, since: int | None, account_id: str | None, watched: Sequence[str] = ()
) -> Iterator[str]:
    """Yield the JSON texts of events, resets and quotes without end, over as many connections as needed."""
    pause_s, has_heard = FIRST_PAUSE_S, False
    while True:
        try:
            for text in _messages(base, token, since, account_id, watched):
                pause_s, has_heard = FIRST_PAUSE_S, True
                message = json.loads(text)
                if message["type"] in OF_QUOTES:
                    _report(message)
                elif message["type"] != "ready":
                    since = message.get("id", message.get("lastEventId"))
                else:
                    # Without a number the stream starts at the present: resume from there.
                    since = message["lastEventId"] if since is None else since
                    if is_watched():
                        click.echo(f"listening to {base}, after event {since}", err=True)
                if message["type"] not in NOT_PRINTED:
                    yield text
        except ConnectionClosed as closed:
            _give_up_on(int(closed.reason), closed.message)
            reason = f"{base} has closed the stream ({closed.message or int(closed.reason)})"
        except (simple_websocket.ConnectionError, ProtocolError, OSError) as error:
            reason = _reason(base, error, has_heard=has_heard)
        click.echo(f"{reason}; reconnecting in {pause_s:g} s", err=True)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, MAX_PAUSE_S)


def _reason(base: str, error: Exception, *, has_heard: bool) -> str:
    """Return why a connection failed; raise ClickException if another attempt cannot help.

    Before the first message a host that is not known, or that has no TLS, is taken for a mistake.
    """
    if isinstance(error, simple_websocket.ConnectionError):
        status = getattr(error, "status_code", None)
        if status is not None and 400 <= status < 500:
            raise click.ClickException(f"{base} refuses the stream ({status}): is it the address of Tradepost?")
        return f"{base} answers {status}"
    if isinstance(error, ProtocolError):
        return f"{base} does not answer as Tradepost does ({error}): is the address right?"
    text = getattr(error, "strerror", None) or str(error)
    if isinstance(error, (socket.gaierror, ssl.SSLError)) and not has_heard:
        raise click.ClickException(f"{base} cannot be reached ({text}): correct --url or TRADEPOST_URL.")
    return f"{base} cannot be reached ({text})"


def _report(message: dict[str, Any]) -> None:
    """Say on standard error that stocks are unknown; raise ClickException if the stocks can never be watched."""
    if message.get("code") == "service_unavailable":
        raise OSError(message["detail"])
    if message["type"] == "problem":
        raise click.ClickException(f"the stocks cannot be watched: {message['detail']}")
    if message["type"] == "watching" and message["unknown"]:
        click.echo(f"unknown stocks: {', '.join(message['unknown'])}", err=True)


def _messages(
    base: str, token: str, since: int | None, account_id: str | None, watched: Sequence[str]
) -> Iterator[str]:
    address = urlsplit(base)
    scheme = "wss" if address.scheme == "https" else "ws"
    query = f"?{urlencode({'tradingAccountId': account_id})}" if account_id else ""
    with _time_limit():
        # The client pings too, to notice a server that is gone without closing the connection.
        stream = Client.connect(
            f"{scheme}://{address.netloc}/api/trading/stream{query}", ping_interval=25, thread_class=DaemonThread
        )
    stream.send(json.dumps({"action": "auth", "token": token, "since": since}))
    if watched:
        stream.send(json.dumps({"action": "watch", "symbols": list(watched)}))
    while True:
        yield stream.receive()


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    """Let a new socket wait at most CONNECT_TIMEOUT_S for the other side; later the stream waits by itself."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(CONNECT_TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _give_up_on(code: int | None, detail: str | None) -> None:
    """Raise ClickException if another attempt cannot help: for a bad token or an invalid request."""
    if code in FINAL_CLOSES:
        raise click.ClickException(f"the service refuses the stream: {detail or code}")
