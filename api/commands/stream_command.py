"""The command `stream`: print an account's events, and live quotes, as they come; miss no event."""

import functools
import json
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

FINAL_CLOSES = (4401, 1008)  # a bad token, an invalid request
# A daemon, so that Ctrl-C ends the process at once even while the connection's thread waits.
DaemonThread = functools.partial(threading.Thread, daemon=True)
FIRST_PAUSE_S, MAX_PAUSE_S = 0.25, 5.0
OF_QUOTES, NOT_PRINTED = ("quote", "watching", "problem"), ("ready", "watching", "problem")


@click.command("stream")
@click.option("--token", required=True, envvar="TRADEPOST_TOKEN", help="A token with the scope read or admin.")
@click.option("--since", type=click.IntRange(min=0), help="Print the events after this one first.")
@click.option("--watch", "watched", multiple=True, metavar="NSE:RELIANCE", help="Print this stock's quotes too.")
@click.option("--account", "account_id", help="The account to listen to; required with an admin token.")
@click.option(
    "--url",
    envvar="TRADEPOST_URL",
    help="The service's address. Default: that of `make run`, or http://127.0.0.1:$PORT.",
)
@with_appcontext
def stream_command(
    token: str, since: int | None, watched: Sequence[str], account_id: str | None, url: str | None
) -> None:
    """Print an account's events as lines of JSON.

    After a failure the command reconnects and continues with the next event. --watch may be given up to 200 times; a
    stock's quotes come at most four times a second.
    """
    for line in follow(url or _local_url(current_app.config["SETTINGS"]), token, since, account_id, watched):
        click.echo(line)


def _local_url(settings: config.Settings) -> str:
    """Return the address that `make run` has saved, or else that of PORT in this shell."""
    saved = {} if settings.is_production else config.read_saved_environment(settings.data_dir)
    return saved.get("TRADEPOST_URL", f"http://127.0.0.1:{settings.port}")


def follow(
    base: str, token: str, since: int | None, account_id: str | None, watched: Sequence[str] = ()
) -> Iterator[str]:
    """Yield the JSON texts of events, resets and quotes without end, over as many connections as needed."""
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            for text in _messages(base, token, since, account_id, watched):
                pause_s = FIRST_PAUSE_S
                message = json.loads(text)
                if message["type"] in OF_QUOTES:
                    _report(message)
                elif message["type"] != "ready":
                    since = message.get("id", message.get("lastEventId"))
                elif since is None:  # the stream starts at the present: resume from there
                    since = message["lastEventId"]
                if message["type"] not in NOT_PRINTED:
                    yield text
        except ConnectionClosed as closed:
            _give_up_on(int(closed.reason), closed.message)
        except (simple_websocket.ConnectionError, ProtocolError, OSError) as error:
            _give_up_on(getattr(error, "status_code", None), str(error))
        click.echo(f"reconnecting in {pause_s:g} s", err=True)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, MAX_PAUSE_S)


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
    # The client pings too, to notice a server that is gone without closing the connection.
    socket = Client.connect(
        f"{scheme}://{address.netloc}/api/trading/stream{query}", ping_interval=25, thread_class=DaemonThread
    )
    socket.send(json.dumps({"action": "auth", "token": token, "since": since}))
    if watched:
        socket.send(json.dumps({"action": "watch", "symbols": list(watched)}))
    while True:
        yield socket.receive()


def _give_up_on(code: int | None, detail: str | None) -> None:
    """Raise ClickException if another attempt cannot help: for a bad token or an invalid request."""
    if code in FINAL_CLOSES or (code is not None and 400 <= code < 500):
        raise click.ClickException(f"the service refuses the stream: {detail or code}")
