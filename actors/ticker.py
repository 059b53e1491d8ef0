"""The tick in every worker process that starts the periodic work, once in an interval for the whole fleet."""

import functools
import threading
import time
from collections import Counter
from collections.abc import Callable

import dramatiq
from dramatiq.middleware import Middleware
from peewee import PeeweeException

from actors import maintenance, presence
from actors.broker import broker
from config import settings
from models import buckets
from models.database import DatabaseUnavailable
from runtime import redis_link
from runtime.logs import get_logger

# A few times in the minute after which a database is forgotten.
DATABASE_PERIOD_S = 15.0

logger = get_logger(__name__)

# The actors that are enqueued once in an interval (ms) for the whole fleet, beside the sweep.
PERIODIC: tuple[tuple[dramatiq.Actor[..., None], int], ...] = (
    (maintenance.expire_orders, 1_000),
    (maintenance.release_orders, 1_000),
    (maintenance.do_daily_work, 1_000),
    (maintenance.sweep_levels, 5_000),
    (maintenance.record_prices, 60_000),
    (maintenance.delete_what_is_old, 600_000),
    (maintenance.check_ledger, 3_600_000),
)
# Of these, each bucket of accounts gets a message of its own.
OF_A_BUCKET = frozenset(
    actor.actor_name
    for actor in (
        maintenance.sweep_orders,
        maintenance.expire_orders,
        maintenance.release_orders,
        maintenance.do_daily_work,
        maintenance.sweep_levels,
    )
)
# The actors that are due at the ends of their periods by this process's clock, not some time within them.
ON_THE_MINUTE = frozenset({maintenance.record_prices.actor_name})
# The work of those that every process does by itself while Redis cannot be reached; its sweeps wait meanwhile.
WITHOUT_REDIS: dict[str, Callable[..., None]] = {
    maintenance.expire_orders.actor_name: functools.partial(maintenance.expire_orders.fn, limit_s=maintenance.DRAIN_S),
    maintenance.release_orders.actor_name: maintenance.release_orders.fn,
    maintenance.do_daily_work.actor_name: maintenance.do_daily_work.fn,
    maintenance.sweep_levels.actor_name: maintenance.sweep_levels.fn,
    maintenance.record_prices.actor_name: maintenance.record_prices.fn,
}


_turns: Counter[str] = Counter()  # by actor: so many buckets have had their turn


def tick(interval_ms: int) -> None:
    """Enqueue the fleet's one sweep of this interval, or sweep here when Redis cannot be reached."""
    if not redis_link.attempt(lambda: _announce(maintenance.sweep_orders, interval_ms)):
        for _ in buckets.each():  # orders of any age, since there may be no messages for the young ones
            maintenance.drain(limit_s=maintenance.DRAIN_S / len(buckets.shards()))


def _announce(actor: dramatiq.Actor[..., None], interval_ms: int) -> None:
    """Enqueue an actor's messages unless a process of the fleet has done so in this interval."""
    for arguments in _arguments_of(actor):
        # The key lives a little shorter than the interval, so that the next tick of its own process finds it gone.
        if redis_link.client.set(tick_key(actor, *arguments), 1, nx=True, px=max(1, interval_ms * 9 // 10)):
            broker.enqueue(actor.message(*arguments))


def _arguments_of(actor: dramatiq.Actor[..., None]) -> list[tuple[int, ...]]:
    """Return the arguments of an actor's messages: where there are several buckets, the number of each."""
    if buckets.are_several() and actor.actor_name in OF_A_BUCKET:
        return [(shard,) for shard in buckets.shards()]
    return [()]


def tick_key(actor: dramatiq.Actor[..., None], *arguments: int) -> str:
    """Return the key that marks an actor's message as enqueued in this interval."""
    return redis_link.key(":".join(["tick", actor.actor_name, *map(str, arguments)]))


def _announce_periodic(due: dict[int, float]) -> None:
    """Enqueue the actors that are due by this process's clock, unless another process has done so."""
    for number, (actor, period_ms) in enumerate(PERIODIC):
        if time.monotonic() < due[number]:
            continue
        is_sent = redis_link.attempt(functools.partial(_announce, actor, period_ms))
        if is_sent:
            due[number] = _next_time(actor, period_ms)
        elif actor.actor_name in WITHOUT_REDIS:
            _work_without_redis(actor)


def _work_without_redis(actor: dramatiq.Actor[..., None]) -> None:
    """Do an actor's work here, one bucket after the other; after DRAIN_S the next tick goes on with the next one."""
    end, arguments = time.monotonic() + maintenance.DRAIN_S, _arguments_of(actor)
    for _ in arguments:
        WITHOUT_REDIS[actor.actor_name](*arguments[_turns[actor.actor_name] % len(arguments)])
        _turns[actor.actor_name] += 1
        if time.monotonic() >= end:
            return


def _next_time(actor: dramatiq.Actor[..., None], period_ms: int) -> float:
    """Return the time at which an actor is due again, by time.monotonic()."""
    passed_ms = time.time() * 1000 % period_ms if actor.actor_name in ON_THE_MINUTE else 0.0
    return time.monotonic() + (period_ms - passed_ms) / 1000


def _first_times() -> dict[int, float]:
    """Return the times at which the periodic work of a process that starts is due."""
    return {
        number: _next_time(actor, period_ms) if actor.actor_name in ON_THE_MINUTE else 0.0
        for number, (actor, period_ms) in enumerate(PERIODIC)
    }


def look_for_others() -> None:
    """Record this process's database, and log an error if workers of another database use the same names in Redis."""
    try:
        identity = presence.read_database()
    except (DatabaseUnavailable, PeeweeException):  # unreachable, or a service that hides its identity
        return
    redis_link.attempt(functools.partial(presence.say_database, identity))
    count = redis_link.ask(presence.count_databases) or 0
    if count > 1:  # they take each other's messages and ticks: orders wait, none is lost
        logger.error("redis_namespace_shared", databases=count, remedy="give each deployment its REDIS_NAMESPACE")


class Ticker(Middleware):
    """A thread in every worker process that ticks once an interval."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Start ticking."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)
        self._thread.start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Stop ticking, and wait for a sweep in the thread to end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        interval_ms = settings().order_worker_interval_ms
        due, database_due = _first_times(), 0.0
        while not self._stopping.wait(interval_ms / 1000):
            try:
                tick(interval_ms)
                redis_link.attempt(presence.say_present)
                _announce_periodic(due)
                if time.monotonic() >= database_due:
                    database_due = time.monotonic() + DATABASE_PERIOD_S
                    look_for_others()
            except Exception:  # the tick makes execution certain, so nothing may end it
                logger.exception("tick_failed")


broker.add_middleware(Ticker())
