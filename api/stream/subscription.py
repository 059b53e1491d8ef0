"""Follow channels of Redis, and notice a server that is silent or was replaced by another one."""

from collections.abc import Callable

import redis

from runtime import redis_link

# The subscription's own connection may wait longer than a request's.
SUBSCRIPTION_TIMEOUT_S = 3.0
# After this long without a message the process publishes a call to itself. If the subscription does not get the call,
# its server is silent, or was replaced by another server on which everything is published now.
SILENCE_S = 1.0


def follow(
    pattern: str, take: Callable[[str, bytes], None], call: Callable[[], object], is_wanted: Callable[[], bool]
) -> None:
    """Pass each message's channel and content to `take` for as long as it is wanted; raises redis.RedisError.

    `call` publishes a message that the pattern matches.
    """
    with redis_link.dedicated_client(SUBSCRIPTION_TIMEOUT_S) as client, client.pubsub() as subscription:
        subscription.psubscribe(pattern)
        is_called = False
        while is_wanted():
            message = subscription.get_message(timeout=SILENCE_S)
            if message is not None:
                is_called = False
                if message["type"] == "pmessage":
                    take(message["channel"].decode(errors="replace"), message["data"])
            elif is_called:
                raise redis.TimeoutError("the subscription receives nothing")
            else:
                is_called = True
                if not redis_link.attempt(call):
                    subscription.ping()
