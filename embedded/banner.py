"""The text that `make run` prints once the service is ready."""

import http.client
import json
import shlex
import time
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import config
from embedded.local_http import is_behind_proxy, open_url
from embedded.seed import Demo
from trading.rules.sessions import INDIAN_TIME, indian_day

TEMPLATE = """
Tradepost is ready: {base}   (health: {base}/health/ready)

  desk          {base}/#token={token}
  operations    {base}/ops#token={operator_token}
  reference     {base}/docs
  Kite Connect  root={base} and access_token={token}, as docs/kite.md says
  demo account  {account_id}
  market        {market}

The commands of the README, in another shell, use:

{exports}

{place_text}, and read it a moment later:

  {curl} -sS -i {base}/api/trading/orders \\
    -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \\
    -d '{{"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 10{after_market}}}'

  {curl} -sS '{base}/api/trading/orders?limit=1' -H 'Authorization: Bearer {token}'

Follow the account's events and a stock's quotes, until Ctrl-C:

  .venv/bin/tradepost stream --token {token} --since 0 --watch NSE:RELIANCE

Ctrl-C stops everything; the data stays in {data_dir}.
"""
ALWAYS_OPEN = "always open; a day ends at midnight in India (MARKET_CALENDAR=NSE gives it the hours of NSE)"
SESSION_CLASS = "NORMAL"  # of all stocks of the demo


def read_clock(port: int, token: str) -> Any:
    """Return the market's clock, as soon as the service tells it."""
    url, headers = f"http://127.0.0.1:{port}/api/market/clock", {"Authorization": f"Bearer {token}"}
    while True:
        try:
            with open_url(urllib.request.Request(url, headers=headers), timeout=2) as answer:
                return json.load(answer)
        except (OSError, http.client.HTTPException, ValueError):
            time.sleep(0.1)


def ready_text(settings: config.Settings, demo: Demo, clock: dict[str, Any]) -> str:
    """Return the text, whose commands can be copied as they are; `clock` is the answer of the market's clock."""
    base = f"http://127.0.0.1:{settings.port}"
    (session,) = [one for one in clock["sessions"] if one["sessionClass"] == SESSION_CLASS]
    return TEMPLATE.format(
        base=base,
        exports="\n".join(f"  export {name}={value}" for name, value in _exports(settings, base, demo).items()),
        curl="curl --noproxy 127.0.0.1" if is_behind_proxy() else "curl",
        account_id=demo.account_id,
        token=demo.token,
        operator_token=demo.operator_token,
        market=_market(clock, session),
        place_text="Place an order" if session["open"] else "Place an order for the next session",
        after_market="" if session["open"] else ', "afterMarket": true',
        data_dir=settings.data_dir,
    )


def _exports(settings: config.Settings, base: str, demo: Demo) -> dict[str, str]:
    """Return the variables that commands in another shell need: the tokens, and what is not as usual."""
    found = {"TRADEPOST_TOKEN": demo.token, "ADMIN_TOKEN": demo.operator_token}
    if settings.port != config.DEFAULT_PORT:
        found["TRADEPOST_URL"] = base
    if settings.data_dir.resolve() != Path(config.DEFAULT_DATA_DIR).resolve():
        found["DATA_DIR"] = shlex.quote(str(settings.data_dir.resolve()))
    return found


def _market(clock: dict[str, Any], session: dict[str, Any]) -> str:
    """Return a line about the session: "NSE, closed until Monday 09:15 in India; ..."."""
    if clock["calendar"] is None:
        return ALWAYS_OPEN
    at, name = clock["at"], clock["calendar"]
    if session["open"]:
        return f"{name}, open until {_moment(session['closesAt'], at)} in India"
    if session["nextOpensAt"] is None:
        return f"{name}, closed, and no session is known: `.venv/bin/tradepost sessions make` makes them"
    return (
        f"{name}, closed until {_moment(session['nextOpensAt'], at)} in India: prices stand still, and orders need"
        " afterMarket"
    )


def _moment(text: str, now: str) -> str:
    """Return the time in India, after the day unless that is today."""
    moment, today = datetime.fromisoformat(text).astimezone(INDIAN_TIME), indian_day(datetime.fromisoformat(now))
    if moment.date() == today:
        return f"{moment:%H:%M}"
    is_near = moment.date() < today + timedelta(days=7)
    return f"{moment:%A %H:%M}" if is_near else f"{moment:%A %d %B, %H:%M}"
