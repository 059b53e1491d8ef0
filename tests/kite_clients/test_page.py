"""The lines of docs/kite.md and of the README are all that a bot has to change."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.kite_clients.sessions import Client, command_of
from tests.support.kite_clients import JAVASCRIPT, PYTHON, NoClientError
from tests.support.processes import ROOT, Running

pytestmark = [pytest.mark.acceptance]

ADDRESS = "127.0.0.1:8000"
IN_PYTHON = """
from kiteconnect import KiteConnect, KiteTicker
TRADEPOST_TOKEN = {token!r}
{lines}
print(kite.profile()["user_id"], flush=True)
ticker.on_connect = lambda ticker, response: (print("connected", flush=True), ticker.stop())
ticker.connect()
"""
IN_JAVASCRIPT = """
const {{ KiteConnect, KiteTicker }} = require("module").createRequire({folder!r} + "/")("kiteconnect");
const TRADEPOST_TOKEN = {token!r};
{lines}
kite.getProfile().then(({{ user_id }}) => {{
  console.log(user_id);
  ticker.on("connect", () => {{ console.log("connected"); process.exit(); }});
  ticker.connect();
}});
"""
PROGRAMS = {
    "docs/kite.md-python": (Client("python", PYTHON[0]), IN_PYTHON),
    "docs/kite.md-javascript": (Client("javascript", JAVASCRIPT[0]), IN_JAVASCRIPT),
    "README.md-python": (Client("python", PYTHON[0]), IN_PYTHON),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_lines_of_a_page_lead_a_client_here(name: str, web: Running, account: Any, tmp_path: Path) -> None:
    client, program = PROGRAMS[name]
    page, _, language = name.rpartition("-")
    block = re.search(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert block
    lines = block[1].replace(ADDRESS, f"127.0.0.1:{web.port}")
    assert lines != block[1]
    try:
        command, environment, folder = command_of(client, tmp_path / "program")
    except NoClientError as error:
        pytest.skip(str(error))
    (tmp_path / "program").write_text(program.format(token=account().token, lines=lines, folder=folder))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    user_id, connected = done.stdout.split() or [done.stderr, ""]
    assert (user_id.isalnum(), connected) == (True, "connected"), done.stderr
