"""A transaction that reaches the tables of several buckets, one bucket after the other."""

from collections.abc import Iterable, Iterator

from models import buckets
from models.database import later


def each_in_transaction(shards: Iterable[int] | None = None) -> Iterator[int]:
    """Yield the numbers of the buckets, or of these; until the next one the statements find the tables of that bucket.

    After the last one they find those of the session again. Nothing is sent for it: each change joins the next
    statement. With one bucket nothing changes.
    """
    for shard in buckets.shards() if shards is None else shards:
        if buckets.are_several():
            later(f"SET LOCAL search_path = {buckets.path_of(shard)}")
        yield shard
    if buckets.are_several():
        later(f"SET LOCAL search_path = {buckets.path_of(buckets.current())}")
