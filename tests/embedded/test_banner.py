"""The banner of `make run` says whether the market is open, and prints an order that is accepted at this hour."""

import re
from typing import Any

import pytest

import config
from embedded.banner import ready_text
from embedded.seed import Demo

OPEN, CLOSE = "2026-11-30T03:45:00.000000Z", "2026-11-27T10:00:00.000000Z"


def text_at(at: str, calendar: str | None = "NSE", environ: dict[str, str] | None = None, **session: Any) -> str:
    plain = {"sessionClass": "NORMAL", "open": False, "closesAt": None, "nextOpensAt": None}
    clock = {"at": at, "calendar": calendar, "sessions": [{**plain, "sessionClass": "AUCTION"}, plain | session]}
    demo = Demo(account_id="an-account", token="tp_a", operator_token="tp_o")
    return ready_text(config.load(environ or {}), demo, clock)


@pytest.mark.parametrize(
    ("at", "session", "line"),
    [
        ("2026-11-27T04:00:00Z", {"open": True, "closesAt": CLOSE}, "NSE, open until 15:30 in India"),
        ("2026-11-27T15:00:00Z", {"nextOpensAt": OPEN}, "NSE, closed until Monday 09:15 in India: prices stand still"),
        ("2026-11-29T20:00:00Z", {"nextOpensAt": OPEN}, "NSE, closed until 09:15 in India: prices stand still"),
        ("2026-11-20T20:00:00Z", {"nextOpensAt": OPEN}, "NSE, closed until Monday 30 November, 09:15 in India"),
        ("2026-11-27T15:00:00Z", {}, "NSE, closed, and no session is known"),
    ],
)
def test_the_banner_says_when_the_market_opens_or_closes(at: str, session: dict[str, Any], line: str) -> None:
    text = text_at(at, **session)
    assert f"  market        {line}" in text
    assert ('"afterMarket": true' in text) is not session.get("open", False)


def test_the_banner_of_a_market_that_is_always_open_has_links_to_each_page() -> None:
    text = text_at("2026-11-27T20:00:00Z", None, open=True)
    assert "  market        always open" in text
    for link in ("/#token=tp_a", "/docs", "/ops#token=tp_o"):
        assert f"http://127.0.0.1:8000{link}\n" in text
    assert "  Kite Connect  root=http://127.0.0.1:8000 and access_token=tp_a, as docs/kite.md says\n" in text


def test_the_banner_names_what_another_shell_needs() -> None:
    usual = text_at("2026-11-27T20:00:00Z", None, open=True)
    assert re.findall("  export (.+)", usual) == ["TRADEPOST_TOKEN=tp_a", "ADMIN_TOKEN=tp_o"]
    environ = {"PORT": "8100", "DATA_DIR": "/tmp/the data"}
    other = text_at("2026-11-27T20:00:00Z", None, environ, open=True)
    assert "  export TRADEPOST_URL=http://127.0.0.1:8100\n  export DATA_DIR='/tmp/the data'\n" in other
