"""Faults of Redis and PostgreSQL, and of the network before them."""

from tests.faults.kinds import KINDS, NotReached, Scene, kind

COMMITTED = rb"C\x00\x00\x00\x0bCOMMIT\x00"  # the server's word that a transaction is committed

LOST_ANSWERS = {
    "F12 answer to a fetch lost": ("to_client", rb'"actor_name":"execute_order"', "cut"),
    "F12 answer to an enqueue lost": ("to_server", rb"enqueue\r\n.*execute_order", "answer"),
    "F13 answer to an ack lost": ("to_server", rb"\r\nack\r\n", "answer"),
    "F13 ack times out": ("to_server", rb"\r\nack\r\n", "swallow"),
}


def _lose_answers(scene: Scene, rule: tuple[str, bytes, str]) -> None:
    lost = scene.system.broker_proxy.add_rule(*rule, times=3)
    scene.last_for(1, 2)
    if not lost.fired:
        raise NotReached(rule)


for _name, _rule in LOST_ANSWERS.items():
    KINDS[_name] = lambda scene, rule=_rule: _lose_answers(scene, rule)


@kind("F3", "answer to a COMMIT lost")
def lose_commit(scene: Scene) -> None:
    """Cut the connection on which the server confirms a commit."""
    scene.system.database_proxy.add_rule("to_client", COMMITTED, "cut", times=5)
    scene.last_for(0.5, 1.5)


@kind("F8", "FLUSHALL")
def flush(scene: Scene) -> None:
    """Empty Redis."""
    scene.system.redis.flushall()


@kind("F9", "Redis refuses connections")
def refuse_redis(scene: Scene) -> None:
    """Cut open connections and refuse new ones."""
    scene.system.broker_proxy.refuse()
    scene.last_for(2, 4)


@kind("F9", "Redis stays silent")
def silence_redis(scene: Scene) -> None:
    """Swallow everything; this also cuts pub/sub while the socket stays open."""
    scene.system.broker_proxy.go_silent()
    scene.last_for(2, 6)


@kind("F10", "Redis restarts empty")
def restart_redis(scene: Scene) -> None:
    """Stop the server; healing starts it."""
    scene.system.valkey.stop()
    scene.last_for(0.5, 2)


@kind("F11", "Redis full")
def fill_redis(scene: Scene) -> None:
    """Leave Redis no memory."""
    scene.system.redis.config_set("maxmemory-policy", "noeviction")
    scene.system.redis.config_set("maxmemory", 1)
    scene.last_for(1, 3)


@kind("F11", "Redis read-only")
def make_redis_replica(scene: Scene) -> None:
    """Make it a replica without a primary."""
    scene.system.redis.replicaof("127.0.0.1", 1)
    scene.last_for(1, 3)


@kind("F12", "Redis connections cut")
def cut_redis(scene: Scene) -> None:
    """Cut every connection at once."""
    for _ in range(3):
        scene.system.broker_proxy.cut_all()
        scene.last_for(0.1, 0.5)


@kind("F9", "Redis slow")
def delay_redis(scene: Scene) -> None:
    """Delay every packet."""
    scene.system.broker_proxy.delay_s = scene.chance.choice((0.02, 0.1, 0.3))
    scene.last_for(2, 4)


@kind("F14", "PostgreSQL fast restart")
def restart_postgres(scene: Scene) -> None:
    """Stop the server; healing starts it."""
    scene.system.postgres.stop(mode="fast")
    scene.last_for(0, 2)


@kind("F14", "PostgreSQL immediate restart")
def crash_postgres(scene: Scene) -> None:
    """Stop the server without a checkpoint."""
    scene.system.postgres.stop(mode="immediate")
    scene.last_for(0, 2)


@kind("F15", "sessions terminated")
def terminate_sessions(scene: Scene) -> None:
    """Terminate the sessions that are in a transaction, and some others."""
    for _ in range(10):
        scene.system.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            " AND application_name <> 'harness' AND (xact_start IS NOT NULL OR random() < 0.1)",
            scene.system.name,
        )
        scene.last_for(0.05, 0.15)


@kind("F15", "PostgreSQL connections cut after n bytes")
def cut_postgres(scene: Scene) -> None:
    """Cut connections after a random number of bytes."""
    scene.system.database_proxy.cut_after = {"to_client": scene.chance.randint(500, 20_000)}
    scene.last_for(1, 2)


@kind("F14", "PostgreSQL refuses connections")
def refuse_postgres(scene: Scene) -> None:
    """Cut open connections and refuse new ones."""
    scene.system.database_proxy.refuse()
    scene.last_for(1, 3)


@kind("F16", "PostgreSQL stays silent")
def silence_postgres(scene: Scene) -> None:
    """Swallow everything."""
    scene.system.database_proxy.go_silent()
    scene.last_for(2, 7)


@kind("F16", "PostgreSQL slow")
def delay_postgres(scene: Scene) -> None:
    """Delay every packet."""
    scene.system.database_proxy.delay_s = scene.chance.choice((0.01, 0.05, 0.2))
    scene.last_for(2, 4)


@kind("F16", "SIGSTOP of PostgreSQL")
def suspend_postgres(scene: Scene) -> None:
    """Suspend all its processes."""
    scene.system.stop_clockwork()
    scene.last_for(2, 8)
