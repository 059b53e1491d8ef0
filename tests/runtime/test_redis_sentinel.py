"""The primary that Sentinels name: found in bounded time, followed after a failover, with passwords and over TLS."""

import contextlib
import time

import pytest
import redis

from runtime import redis_link
from runtime.redis_pool import make_pool, primary_of
from runtime.redis_sentinel import sentinels_of
from tests.support.processes import wait_until
from tests.support.sentinels import HOST, SERVICE, FakeSentinel, Watched, client_of

TIMEOUT_S = 0.4
PATIENT_S = 5.0


@pytest.fixture
def sentinel():
    """Return a function that starts a Sentinel which names a port: sentinel(6379)."""
    with contextlib.ExitStack() as stack:

        def start(named):
            fake = FakeSentinel(named)
            stack.callback(fake.close)
            return fake

        yield start


@pytest.fixture
def port(servers):
    """Return the port of the run's Redis, which stands for a primary."""
    return client_port(servers.redis_url)


def client_port(url):
    with redis.Redis.from_url(url) as client:
        return int(client.connection_pool.connection_kwargs["port"])


def url_of(*sentinels, scheme="redis", credentials="", query=""):
    places = ",".join(f"{HOST}:{sentinel.port}" for sentinel in sentinels)
    return f"{scheme}+sentinel://{credentials}{places}/{SERVICE}/0{query}"


def client_at(url, timeout_s=PATIENT_S):
    return redis.Redis.from_pool(make_pool(url, timeout_s=timeout_s))


def test_the_primary_is_the_one_that_the_sentinels_name(sentinel, port):
    first = sentinel(port)
    assert client_at(url_of(first)).ping()
    assert SERVICE.encode() in first.heard


def test_a_primary_that_none_knows_is_a_lost_connection(sentinel):
    with pytest.raises(redis.ConnectionError, match=f"no Sentinel names the primary of {SERVICE}"):
        client_at(url_of(sentinel(0), sentinel(0))).ping()


def test_dead_and_silent_sentinels_cost_no_time_while_most_answer(sentinel, port):
    dead, silent = sentinel(port), sentinel(None)
    dead.close()
    client = client_at(url_of(dead, silent, sentinel(port), sentinel(port), sentinel(port)), timeout_s=60)
    start = time.monotonic()
    assert client.ping()
    assert time.monotonic() - start < 20  # half of the time-out is 30 s


def test_silent_sentinels_cost_half_of_the_time_out(sentinel):
    client = client_at(url_of(*[sentinel(None) for _ in range(5)]), TIMEOUT_S)
    start = time.monotonic()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    assert time.monotonic() - start < 20 * TIMEOUT_S


def test_the_last_primary_serves_while_no_sentinel_answers(sentinel, port, logged):
    only = sentinel(port)
    url = url_of(only)
    assert client_at(url).ping()
    only.close()
    wait_until(lambda: failures_of(only, logged), what="the process has noticed")
    assert client_at(url).ping()  # another pool: all share the address that is found


def test_a_sentinel_that_was_cut_off_and_names_the_old_primary_is_outvoted(sentinel, port):
    others = sentinel(port), sentinel(port)
    for other in others:
        other.delay_s = 0.2  # the one that is cut off answers first
    assert client_at(url_of(sentinel(1), *others)).ping()


def test_a_sentinel_that_was_outvoted_is_not_followed_while_the_others_are_away(sentinel, port, logged):
    outdated, others = sentinel(1), (sentinel(port), sentinel(port))
    client = client_at(url_of(outdated, *others))
    assert client.ping()
    for other in others:
        other.close()
    wait_until(lambda: all(failures_of(other, logged) for other in others), what="the process has noticed")
    assert primary_of(client).port == port
    outdated.named = 2  # a later failover that only this one can tell of
    wait_until(lambda: primary_of(client).port == 2)


def test_an_open_connection_to_a_primary_that_was_replaced_leads_to_the_new_one(sentinel, port):
    old = sentinel(0)  # it answers any command
    only = sentinel(old.port)
    client = client_at(url_of(only))
    assert client.set("a", 1)
    assert b"SET" in old.heard
    only.named = port
    wait_until(lambda: primary_of(client).port == port)
    old.heard = b""
    assert client.ping()
    assert old.heard == b""


def test_a_sentinel_that_fails_is_reported_once_and_asked_again(sentinel, port, logged):
    only = sentinel(port)
    only.close()
    client = client_at(url_of(only), TIMEOUT_S)
    with pytest.raises(redis.ConnectionError):
        client.ping()
    only.open()
    wait_until(lambda: answers(client), what="the Sentinel is asked again")
    assert failures_of(only, logged) == 1


def test_a_sentinel_that_talks_nonsense_is_reported_and_asked_again(sentinel, port, logged):
    only = sentinel("no-number")
    client = client_at(url_of(only), TIMEOUT_S)
    with pytest.raises(redis.ConnectionError, match="no Sentinel"):
        client.ping()
    only.named = port
    wait_until(lambda: answers(client), what="the Sentinel is asked again")
    assert failures_of(only, logged) == 1


def failures_of(sentinel, logged):
    failed = [entry["port"] for entry in logged if entry["event"] == "redis_sentinel_failed"]
    return failed.count(sentinel.port)


def answers(client):
    with contextlib.suppress(redis.ConnectionError):
        return client.ping()
    return False


def test_sentinels_and_servers_have_passwords_of_their_own(sentinel, port):
    guarded = sentinel(0)
    query = "?sentinel_username=watch%20er&sentinel_password=p%40ss"
    with pytest.raises(redis.ConnectionError, match="no Sentinel"):
        client_at(url_of(guarded, credentials="trader:hidden@", query=query)).ping()
    assert b"watch er" in guarded.heard
    assert b"p@ss" in guarded.heard
    assert b"hidden" not in guarded.heard


def test_a_sentinel_without_a_password_is_sent_none(sentinel):
    open_one = sentinel(0)
    with pytest.raises(redis.ConnectionError, match="no Sentinel"):
        client_at(url_of(open_one, credentials=":hidden@")).ping()
    assert b"AUTH" not in open_one.heard


def test_the_options_of_the_url_are_those_of_the_servers(sentinel):
    url = url_of(sentinel(0), scheme="rediss", credentials="trader:p%40ss@", query="?ssl_cert_reqs=required")
    options = make_pool(url.replace("/0?", "/7?"), timeout_s=1).connection_kwargs
    assert (options["username"], options["password"], options["db"]) == ("trader", "p@ss", 7)
    assert options["ssl_cert_reqs"] == "required"
    assert sentinels_of(url)._options["ssl_cert_reqs"] == "required"
    assert "sentinel_password" not in options


@pytest.fixture
def watched(tmp_path):
    watched = Watched(tmp_path / "watched", sentinels=1)
    try:
        watched.start()
        yield watched
    finally:
        watched.close()


def test_a_failover_is_followed_by_new_and_by_idle_connections(watched, servers):
    redis_link.configure(watched.url)
    try:
        assert redis_link.attempt(lambda: redis_link.client.set("a", 1))
        old = watched.kill_primary()
        assert not redis_link.attempt(redis_link.prove_writable)
        promoted = watched.wait_until_promoted(old)
        wait_until(lambda: redis_link.attempt(redis_link.prove_writable), what="the link follows")
        with client_of(promoted) as client:
            assert client.exists(redis_link.key("ready"))
    finally:
        redis_link.configure(servers.redis_url)
