"""Clients that generators make of the served document trade with the service: in Python and in TypeScript."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.security.operations import operations_of
from tests.support.processes import Running

PROGRAM = """
import json, os
from tradepost_client import AuthenticatedClient
from tradepost_client.api.account import account_read
from tradepost_client.api.orders import orders_cancel, orders_list_orders, orders_place, orders_read
from tradepost_client.api.realtime import realtime_list_events
from tradepost_client.models import Account, AccountEvent, Order, OrderDetail, OrderEvent, OrderPage, OrderRequest
from tradepost_client.models import Exchange, GivenOrderType, OrderStatus, Placement, Problem, ProblemCode, Side

client = AuthenticatedClient(base_url=os.environ["URL"], token=os.environ["TOKEN"])
order = OrderRequest(
    exchange=Exchange.NSE,
    symbol="RELIANCE",
    side=Side.BUY,
    quantity=10,
    order_type=GivenOrderType.LIMIT,
    price="2500.00",
)
answer = orders_place.sync_detailed(client=client, body=order, idempotency_key="generated-1")
again = orders_place.sync(client=client, body=order, idempotency_key="generated-1")
read = orders_read.sync(answer.parsed.order_id, client=client)
account = account_read.sync(client=client)
cancelled = orders_cancel.sync(read.order_id, client=client)
page = orders_list_orders.sync(client=client, status=[OrderStatus.CANCELLED])
events = realtime_list_events.sync(client=client, since=0)
order.quantity = 1_000_000
refused = orders_place.sync(client=client, body=order)
assert [type(each) for each in (answer.parsed, again, read, account, cancelled, page, refused)] == [
    Placement, Placement, OrderDetail, Account, Order, OrderPage, Problem
]
assert {type(event) for event in events.data} == {AccountEvent, OrderEvent}
assert cancelled.status is OrderStatus.CANCELLED
assert refused.code is ProblemCode.INSUFFICIENT_MARGIN
print(json.dumps({
    "status": answer.status_code,
    "order_ids": [str(each.order_id) for each in (answer.parsed, again, read, cancelled, *page.data)],
    "quantity": read.quantity,
    "price": read.price,
    "kinds": [row.kind.value for row in read.transactions],
    "blocked": account.blocked_margin,
    "events": [event.data.status.value for event in events.data if isinstance(event, OrderEvent)],
    "refusal": refused.code.value,
    "required": refused.required,
}))
"""


TYPESCRIPT = Path(__file__).parent / "typescript"


def run(command: list[str], folder: Path, **variables: str) -> str:
    """Run a command that succeeds, and return its output."""
    done = subprocess.run(command, cwd=folder, env=os.environ | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check_session(told: dict[str, Any]) -> None:
    """Check what a generated client has seen of its session."""
    assert told["status"] == 202
    assert len(told["order_ids"]) == 5
    assert len(set(told["order_ids"])) == 1
    assert (told["quantity"], told["price"], told["blocked"]) == (10, "2500.00", "5000.00")
    assert sorted(told["kinds"]) == ["CHARGES", "MARGIN_BLOCK"]
    assert told["events"] == ["PENDING", "CANCELLED"]
    assert (told["refusal"], told["required"] > "500000000") == ("insufficient_margin", True)


@pytest.mark.acceptance
def test_a_generated_python_client_places_reads_cancels_and_lists(
    web: Running, account: Any, client: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "tradepost_client"
    (tmp_path / "options.yml").write_text("post_hooks: []\n")
    command = [str(Path(sys.executable).with_name("openapi-python-client")), "generate", "--fail-on-warning"]
    command += ["--url", f"{web.base_url}/openapi.json", "--meta", "none", "--config", str(tmp_path / "options.yml")]
    assert "WARNING" not in run([*command, "--output-path", str(folder)], tmp_path)
    for operation in operations_of(client.get("/openapi.json").get_json()):
        module = re.sub(r"(?<!^)([A-Z])", r"_\1", operation.spec["operationId"]).lower()
        assert (folder / "api" / operation.spec["tags"][0] / f"{module}.py").exists(), module
    session = {"URL": web.base_url, "TOKEN": account().token, "PYTHONPATH": str(tmp_path)}
    check_session(json.loads(run([sys.executable, "-c", PROGRAM], tmp_path, **session)))


@pytest.fixture
def typescript(pytestconfig: pytest.Config) -> Path:
    """Return a folder with the session and the packages that it needs, which stay there for the next run."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("no node or no npm on PATH: apt-get install nodejs npm, to generate a TypeScript client")
    assert pytestconfig.cache is not None
    folder = pytestconfig.cache.mkdir("generated-typescript-client")
    lock = (TYPESCRIPT / "package-lock.json").read_text()
    installed = folder / "installed"
    shutil.copytree(TYPESCRIPT, folder, dirs_exist_ok=True)
    if not installed.exists() or installed.read_text() != lock:
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--fetch-retries=1"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"npm cannot install the packages: {done.stderr.strip().splitlines()[:1]}")
        installed.write_text(lock)
    return folder


@pytest.mark.acceptance
def test_a_generated_typescript_client_places_reads_cancels_and_lists(
    web: Running, account: Any, typescript: Path
) -> None:
    packages = typescript / "node_modules"
    generate = [packages / "openapi-typescript" / "bin" / "cli.js", f"{web.base_url}/openapi.json"]
    # Without this option a field with a default would have to be given.
    run(["node", *map(str, generate), "-o", "schema.d.ts", "--default-non-nullable=false"], typescript)
    run(["node", str(packages / "typescript" / "bin" / "tsc"), "-p", "."], typescript)
    session = {"URL": web.base_url, "TOKEN": account().token}
    check_session(json.loads(run(["node", "session.js"], typescript, **session)))
