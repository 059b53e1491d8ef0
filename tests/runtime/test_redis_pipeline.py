"""Commands that are sent to Redis in one round trip."""

import pytest
import redis

from runtime.redis_pipeline import Pipeline


@pytest.fixture
def pool(servers, redis_client):
    redis_client.delete("piped")
    with redis.ConnectionPool.from_url(servers.redis_url, max_connections=1) as pool:
        yield pool
    redis_client.delete("piped")


def test_the_commands_are_done_in_their_order(pool, redis_client):
    pipeline = Pipeline()
    pipeline.add("RPUSH", "piped", "a")
    pipeline.add("RPUSH", "piped", "b")
    assert not redis_client.exists("piped")
    pipeline.send(pool)
    assert redis_client.lrange("piped", 0, -1) == [b"a", b"b"]


def test_one_that_fails_is_raised_after_all_are_done(pool, redis_client):
    pipeline = Pipeline()
    pipeline.add("EVALSHA", "0" * 40, 0)
    pipeline.add("RPUSH", "piped", "a")
    with pytest.raises(redis.exceptions.NoScriptError):
        pipeline.send(pool)
    assert redis_client.lrange("piped", 0, -1) == [b"a"]
    after = Pipeline()
    after.add("RPUSH", "piped", "b")
    after.send(pool)  # no answer of the first ones is left on the only connection
    assert redis_client.lrange("piped", 0, -1) == [b"a", b"b"]


def test_a_connection_that_breaks_is_not_used_again(pool):
    (connection,) = [pool.get_connection()]
    pool.release(connection)
    connection.read_response = lambda: exec("raise TimeoutError")
    pipeline = Pipeline()
    pipeline.add("PING")
    with pytest.raises(TimeoutError):
        pipeline.send(pool)
    assert not connection.is_connected
