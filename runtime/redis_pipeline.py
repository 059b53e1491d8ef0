"""Commands for Redis that are sent in one round trip.

redis-py's own pipeline does this too, in layers that take as long as everything else that sends a message.
"""

from typing import Any

import redis


class Pipeline:
    """Redis commands that wait to be sent together; their answers tell only if one of them failed."""

    def __init__(self) -> None:
        self._commands: list[tuple[Any, ...]] = []

    def add(self, *command: Any) -> None:
        """Add a command: its name and its arguments."""
        self._commands.append(command)

    def send(self, pool: redis.ConnectionPool) -> None:
        """Send all commands and wait for their answers; raise redis.RedisError, and the first one that an answer has.

        Every answer is read, so that the connection can be used again.
        """
        connection: Any = pool.get_connection()
        try:
            connection.send_packed_command(connection.pack_commands(self._commands))
            failures = [error for _ in self._commands if (error := _read_failure(connection)) is not None]
        except BaseException:
            connection.disconnect()
            raise
        finally:
            pool.release(connection)
        if failures:
            raise failures[0]


def _read_failure(connection: Any) -> redis.ResponseError | None:
    try:
        connection.read_response()
    except redis.ResponseError as error:
        return error
    return None
