"""The settings of a run, and the deliberate defects."""

from dataclasses import dataclass
from enum import StrEnum


class Mutation(StrEnum):
    """A deliberate defect of the protocol, each of which a run must see."""

    NONE = "none"
    NO_BUCKET_LOCK = "no_bucket_lock"
    LOCK_AND_READ_AT_ONCE = "lock_and_read_at_once"
    MODIFY_KEEPS_WATCH = "modify_keeps_watch"
    SECOND_LOOK_CLAIMS_MATCHED = "second_look_claims_matched"
    CANCEL_WAITS_FOR_ACCOUNT = "cancel_waits_for_account"
    MATCHING_SKIPS_LOCKED = "matching_skips_locked"
    RELEASE_SKIPS_LOCKED = "release_skips_locked"


@dataclass(frozen=True, slots=True)
class Settings:
    """The size of a run."""

    seconds: float = 60.0
    matches: int = 0  # trading goes on until so many orders are matched: a busy machine takes longer
    releases: int = 0  # and until so many after-market orders are released
    seed: int = 1
    mutation: Mutation = Mutation.NONE
    stocks: int = 8
    buckets: int = 5
    accounts: int = 40
    live_orders: int = 600  # placers pause above this number
    feeders: int = 2
    placers: int = 2
    workers: int = 4
    modifiers: int = 2
    cancellers: int = 1
    hold_s: float = 3.0  # an account is held for so long at a time
