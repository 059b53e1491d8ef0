"""Every kind of fault that the soak injects; each begins it, lets it last, and leaves healing to the soak."""

import contextlib
import random
import signal
import socket
import threading
import time
from collections.abc import Callable
from uuid import uuid4

import requests

from tests.faults.system import CRON_SECRET, HOOKS, System
from tests.faults.workload import SYMBOLS, Request, Workload
from tests.realtime.clients import RawStream

COMMITTED = rb"C\x00\x00\x00\x0bCOMMIT\x00"
REFUSE_POISON = """
CREATE OR REPLACE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.client_order_id LIKE 'poison%' AND NEW.status = 'EXECUTED' THEN RAISE EXCEPTION 'poison'; END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER refuse_poison BEFORE UPDATE ON trading_order
    FOR EACH ROW EXECUTE FUNCTION refuse_poison();
"""


class Scene:
    """What a fault has to work with: the system, its clients, and chance."""

    def __init__(self, system: System, workload: Workload, chance: random.Random) -> None:
        self.system = system
        self.workload = workload
        self.chance = chance
        self.poisons: set[str] = set()
        self.spare = workload.add_client(workload.open_account("Of the faults"))

    def last_for(self, low_s: float, high_s: float) -> None:
        """Let a fault last."""
        time.sleep(self.chance.uniform(low_s, high_s))

    def reach(self, point: str, argument: str = "") -> None:
        """Arm a fault point and wait, not for ever, until somebody has reached it."""
        armed, end = self.system.arm(point, argument), time.monotonic() + 10
        while armed.exists() and time.monotonic() < end:
            time.sleep(0.05)


Injection = Callable[[Scene], None]
KINDS: dict[str, Injection] = {}


def kind(number: str, name: str) -> Callable[[Injection], Injection]:
    """Register a kind of fault under its number in the list and a name."""

    def register(injection: Injection) -> Injection:
        KINDS[f"{number} {name}"] = injection
        return injection

    return register


POINTS = {
    "F1 web killed between commit and send": "web_dies_before_send",
    "F2 web killed before its commit": "web_dies_before_commit",
    "F4 worker killed between fill commit and ack": "worker_dies_before_ack",
    "F5 worker killed inside the fill": "worker_dies_before_commit",
    "F26 time limit before the commit": "time_limit_before_commit",
    "F26 time limit after the commit": "time_limit_after_commit",
    "F26 shutdown before the commit": "shutdown_before_commit",
    "F26 shutdown after the commit": "shutdown_after_commit",
}
for _name, _point in POINTS.items():
    KINDS[_name] = lambda scene, point=_point: scene.reach(point)

LOST_ANSWERS = {
    "F12 answer to a fetch lost": ("to_client", rb'"actor_name":"execute_order"', "cut"),
    "F12 answer to an enqueue lost": ("to_server", rb"enqueue\r\n.*execute_order", "answer"),
    "F13 answer to an ack lost": ("to_server", rb"\r\nack\r\n", "answer"),
    "F13 ack times out": ("to_server", rb"\r\nack\r\n", "mute"),
}


def _lose_answers(scene: Scene, rule: tuple[str, bytes, str]) -> None:
    scene.system.broker_proxy.add_rule(*rule, times=3)
    scene.last_for(1, 2)


for _name, _rule in LOST_ANSWERS.items():
    KINDS[_name] = lambda scene, rule=_rule: _lose_answers(scene, rule)


@kind("F3", "answer to a COMMIT lost")
def lose_commit(scene: Scene) -> None:
    """Cut the connection on which the server says that it has committed."""
    scene.system.database_proxy.add_rule("to_client", COMMITTED, "cut", times=5)
    scene.last_for(0.5, 1.5)


@kind("F6", "kill -9 of a web process")
def kill_web_child(scene: Scene) -> None:
    """Kill one of gunicorn's workers."""
    scene.chance.choice(scene.system.webs[0].children()).kill()


@kind("F6", "kill -9 of the web command")
def kill_web(scene: Scene) -> None:
    """Kill gunicorn with all its workers."""
    scene.system.webs[0].kill()


@kind("F6", "kill -9 of a worker process")
def kill_worker_child(scene: Scene) -> None:
    """Kill one of the processes that execute."""
    scene.chance.choice(scene.system.worker_children()).kill()


@kind("F6", "kill -9 of a worker command")
def kill_worker(scene: Scene) -> None:
    """Kill a worker command with all its processes."""
    scene.chance.choice(scene.system.workers).kill()


@kind("F6", "kill -9 of Dramatiq's main process")
def orphan_workers(scene: Scene) -> None:
    """Leave orphans that work beside a new set, and end them a while later."""
    command = scene.chance.choice(scene.system.workers)
    command.signal(signal.SIGKILL)
    scene.last_for(2, 5)
    command.kill()


@kind("F7", "SIGTERM to the whole dyno")
def stop_dyno(scene: Scene) -> None:
    """Signal every process."""
    for command in (*scene.system.webs, *scene.system.workers):
        command.signal_all(signal.SIGTERM)


@kind("F7", "SIGTERM to a worker command")
def stop_worker(scene: Scene) -> None:
    """Signal the processes of one worker command."""
    scene.chance.choice(scene.system.workers).signal_all(signal.SIGTERM)


@kind("F8", "FLUSHALL")
def flush(scene: Scene) -> None:
    """Empty Redis."""
    scene.system.redis.flushall()


@kind("F9", "Redis refuses connections")
def refuse_redis(scene: Scene) -> None:
    """Cut and refuse."""
    scene.system.broker_proxy.refuse()
    scene.last_for(2, 4)


@kind("F9", "Redis stays silent")
def silence_redis(scene: Scene) -> None:
    """Swallow everything; that is also what cuts pub/sub with the socket open."""
    scene.system.broker_proxy.go_silent()
    scene.last_for(2, 6)


@kind("F10", "Redis restarts empty")
def restart_redis(scene: Scene) -> None:
    """Stop it, and let healing start it."""
    scene.system.valkey.stop()
    scene.last_for(0.5, 2)


@kind("F11", "Redis full")
def fill_redis(scene: Scene) -> None:
    """Leave it no memory."""
    scene.system.redis.config_set("maxmemory-policy", "noeviction")
    scene.system.redis.config_set("maxmemory", 1)
    scene.last_for(1, 3)


@kind("F11", "Redis read-only")
def make_redis_replica(scene: Scene) -> None:
    """Make it the replica of nobody."""
    scene.system.redis.replicaof("127.0.0.1", 1)
    scene.last_for(1, 3)


@kind("F12", "Redis connections cut")
def cut_redis(scene: Scene) -> None:
    """Cut every connection, wherever it is."""
    for _ in range(3):
        scene.system.broker_proxy.cut_all()
        scene.last_for(0.1, 0.5)


@kind("F9", "Redis slow")
def delay_redis(scene: Scene) -> None:
    """Let every packet take its time."""
    scene.system.broker_proxy.delay_s = scene.chance.choice((0.02, 0.1, 0.3))
    scene.last_for(2, 4)


@kind("F14", "PostgreSQL fast restart")
def restart_postgres(scene: Scene) -> None:
    """Stop it, and let healing start it."""
    scene.system.postgres.stop(mode="fast")
    scene.last_for(0, 2)


@kind("F14", "PostgreSQL immediate restart")
def crash_postgres(scene: Scene) -> None:
    """Stop it without a checkpoint."""
    scene.system.postgres.stop(mode="immediate")
    scene.last_for(0, 2)


@kind("F15", "sessions terminated")
def terminate_sessions(scene: Scene) -> None:
    """Terminate those that are in a transaction, and some that are not."""
    for _ in range(10):
        scene.system.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            " AND application_name <> 'harness' AND (xact_start IS NOT NULL OR random() < 0.1)",
            scene.system.name,
        )
        scene.last_for(0.05, 0.15)


@kind("F15", "PostgreSQL connections cut after n bytes")
def cut_postgres(scene: Scene) -> None:
    """Cut connections at any place of the conversation."""
    scene.system.database_proxy.cut_after = {"to_client": scene.chance.randint(500, 20_000)}
    scene.last_for(1, 2)


@kind("F14", "PostgreSQL refuses connections")
def refuse_postgres(scene: Scene) -> None:
    """Cut and refuse."""
    scene.system.database_proxy.refuse()
    scene.last_for(1, 3)


@kind("F16", "PostgreSQL stays silent")
def silence_postgres(scene: Scene) -> None:
    """Swallow everything."""
    scene.system.database_proxy.go_silent()
    scene.last_for(2, 7)


@kind("F16", "PostgreSQL slow")
def delay_postgres(scene: Scene) -> None:
    """Let every packet take its time."""
    scene.system.database_proxy.delay_s = scene.chance.choice((0.01, 0.05, 0.2))
    scene.last_for(2, 4)


@kind("F16", "SIGSTOP of PostgreSQL")
def suspend_postgres(scene: Scene) -> None:
    """Let all its processes stand still."""
    scene.system.stop_clockwork()
    scene.last_for(2, 8)


@kind("F16", "SIGSTOP of a worker")
def suspend_worker(scene: Scene) -> None:
    """Let a worker stand still anywhere, sometimes for longer than every limit."""
    scene.chance.choice(scene.system.workers).signal_all(signal.SIGSTOP)
    scene.last_for(3, 14)


@kind("F16", "SIGSTOP of a worker inside a fill")
def suspend_fill(scene: Scene) -> None:
    """Let a worker stand still while it holds its locks."""
    scene.reach("worker_sleeps_before_commit", "0.5")
    for command in scene.system.workers:
        command.signal_all(signal.SIGSTOP)
    scene.last_for(5, 12)


@kind("F17", "messages delivered many times")
def repeat_messages(scene: Scene) -> None:
    """Announce the last orders again, many times each."""
    for (order_id,) in scene.system.sql("SELECT id::text FROM trading_order ORDER BY placed_at DESC LIMIT 5"):
        enqueue(scene.system, order_id, 50)


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
    """Hold pending orders, and let go."""
    holder = scene.system.connect()
    holder.autocommit = False
    holder.cursor().execute("SELECT id FROM trading_order WHERE status = 'PENDING' FOR UPDATE SKIP LOCKED")
    scene.last_for(0.5, 2)
    holder.rollback()
    holder.close()


@kind("F20", "a worker with a wrong clock")
def wrong_clock(scene: Scene) -> None:
    """Let a worker join whose clock is wrong, and leave again."""
    worker = scene.system.starter._start(
        "worker", {"TRADEPOST_CLOCK_OFF_S": str(scene.chance.choice((90, -90, 86_400, -86_400)))}
    )
    scene.last_for(4, 6)
    worker.terminate()


@kind("F25", "a poison that raises")
def poison(scene: Scene) -> None:
    """Place an order that cannot be executed."""
    scene.system.sql(REFUSE_POISON.replace("%", "%%") if False else REFUSE_POISON)
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
    """Open a hundred streams at once that replay everything."""
    token = next(iter(scene.workload.accounts.values()))

    def listen() -> None:
        with contextlib.suppress(OSError, ValueError, IndexError, AssertionError):
            with RawStream(scene.system.web_port, token, query="?since=0") as stream:
                for _ in range(50):
                    stream.next(2)

    listeners = [threading.Thread(target=listen, daemon=True) for _ in range(60)]
    for listener in listeners:
        listener.start()
    for listener in listeners:
        listener.join(10)


@kind("F33", "slow and hostile clients")
def hostile(scene: Scene) -> None:
    """Send bytes now and then, and bodies that are none."""
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
