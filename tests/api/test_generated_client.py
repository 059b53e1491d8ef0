"""A client that openapi-python-client makes of the served document trades with the service."""

import json
import os
import re
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


@pytest.mark.acceptance
def test_a_generated_python_client_places_reads_cancels_and_lists(
    web: Running, account: Any, client: Any, tmp_path: Path
) -> None:
    trader = account()
    folder = tmp_path / "tradepost_client"
    (tmp_path / "options.yml").write_text("post_hooks: []\n")
    command = [str(Path(sys.executable).with_name("openapi-python-client")), "generate", "--fail-on-warning"]
    command += ["--url", f"{web.base_url}/openapi.json", "--meta", "none", "--config", str(tmp_path / "options.yml")]
    made = subprocess.run([*command, "--output-path", str(folder)], cwd=tmp_path, capture_output=True, text=True)
    assert (made.returncode, "WARNING" in made.stdout) == (0, False), made.stdout + made.stderr

    for operation in operations_of(client.get("/openapi.json").get_json()):
        module = re.sub(r"(?<!^)([A-Z])", r"_\1", operation.spec["operationId"]).lower()
        assert (folder / "api" / operation.spec["tags"][0] / f"{module}.py").exists(), module

    environment = os.environ | {"URL": web.base_url, "TOKEN": trader.token, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["status"] == 202
    assert len(set(told["order_ids"])) == 1
    assert (told["quantity"], told["price"], told["blocked"]) == (10, "2500.00", "5000.00")
    assert sorted(told["kinds"]) == ["CHARGES", "MARGIN_BLOCK"]
    assert told["events"] == ["PENDING", "CANCELLED"]
    assert (told["refusal"], told["required"] > "500000000") == ("insufficient_margin", True)
