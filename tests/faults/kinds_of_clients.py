"""Faults that come from outside: repeated messages, locks, poison orders, and clients that misbehave."""

import contextlib
import socket
import threading
from uuid import uuid4

import requests

from tests.faults.kinds import Scene, kind
from tests.faults.system import CRON_SECRET
from tests.realtime.clients import RawStream

REFUSE_POISON = """
CREATE OR REPLACE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.client_order_id LIKE 'poison%' AND NEW.status = 'EXECUTED' THEN RAISE EXCEPTION 'poison'; END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER refuse_poison BEFORE UPDATE ON trading_order
    FOR EACH ROW EXECUTE FUNCTION refuse_poison();
"""


@kind("F17", "messages delivered many times")
def repeat_messages(scene: Scene) -> None:
    """Send the messages of the last orders again, many times each."""
    for (order_id,) in scene.system.sql("SELECT id::text FROM trading_order ORDER BY placed_at DESC LIMIT 5"):
        scene.system.enqueue(order_id, 50)


@kind("F18", "cron calls beside the workers")
def call_cron(scene: Scene) -> None:
    """Sweep from the cron endpoint, several at once."""

    def call() -> None:
        for _ in range(5):
            with contextlib.suppress(requests.RequestException):
                url = f"{scene.system.base_url}/api/cron/order-worker?limit=100"
                requests.get(url, headers={"Authorization": f"Bearer {CRON_SECRET}"}, timeout=20)

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()


@kind("F19", "rows locked by a holder who rolls back")
def hold_rows(scene: Scene) -> None:
    """Lock pending orders, then roll back."""
    holder = scene.system.connect()
    holder.autocommit = False
    holder.cursor().execute("SELECT id FROM trading_order WHERE status = 'PENDING' FOR UPDATE SKIP LOCKED")
    scene.last_for(0.5, 2)
    holder.rollback()
    holder.close()


@kind("F25", "a poison that raises")
def poison(scene: Scene) -> None:
    """Place an order that cannot be executed."""
    scene.system.sql(REFUSE_POISON)
    request = scene.spare.place(side="BUY", clientOrderId=f"poison-{uuid4().hex}")
    if request.status == 202:
        scene.poisons.add(str(request.document["orderId"]))


@kind("F27", "listeners that never read")
def deaf_listeners(scene: Scene) -> None:
    """Open streams, and read nothing from them."""
    token = next(iter(scene.workload.accounts.values()))
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            with contextlib.suppress(OSError, ValueError, IndexError):
                stack.enter_context(RawStream(scene.system.web_port, token, query="?since=0", receive_buffer=2048))
        scene.last_for(2, 4)


@kind("F31", "many listeners reconnect at once")
def herd(scene: Scene) -> None:
    """Open sixty streams at once that replay everything."""
    token = next(iter(scene.workload.accounts.values()))

    def listen() -> None:
        with (
            contextlib.suppress(OSError, ValueError, IndexError, AssertionError),
            RawStream(scene.system.web_port, token, query="?since=0") as stream,
        ):
            for _ in range(50):
                stream.next(2)

    listeners = [threading.Thread(target=listen, daemon=True) for _ in range(60)]
    for listener in listeners:
        listener.start()
    for listener in listeners:
        listener.join(10)


@kind("F33", "slow and hostile clients")
def hostile(scene: Scene) -> None:
    """Send unfinished requests, and bodies that are no orders."""
    with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
        for _ in range(50):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", scene.system.web_port), timeout=5))
            sock.sendall(b"POST /api/trading/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        for body in (b"[" * 60_000, b'{"price": NaN}', b'{"side": "\\ud800"}', b"\x00"):
            headers = {**scene.spare._headers, "Content-Type": "application/json"}
            with contextlib.suppress(requests.RequestException):
                url = f"{scene.system.base_url}/api/trading/orders"
                status = requests.post(url, data=body, headers=headers, timeout=15).status_code
                assert 400 <= status < 500 or status == 503, (status, body[:20])
        scene.last_for(1, 2)
