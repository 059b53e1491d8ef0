"""The protocol in plain SQL loses no wake-up, and each of its deliberate defects is seen."""

from collections.abc import Callable

import pytest

from tests.matching_stress.databases import migrated_database
from tests.matching_stress.plain import PlainRun
from tests.matching_stress.running import Report
from tests.matching_stress.settings import Mutation, Settings
from tests.support.servers import Servers, administer

pytestmark = pytest.mark.slow
SECONDS = 5.0
DEFECTS = [mutation for mutation in Mutation if mutation not in (Mutation.NONE, Mutation.RELEASE_SKIPS_LOCKED)]


@pytest.fixture
def stress(servers: Servers) -> Callable[..., Report]:
    """Return a function that runs the stress in a database of its own: stress(seconds=8.0, mutation=…)."""
    name = "matching_stress"

    def run(**settings: object) -> Report:
        administer(servers.database_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        report = PlainRun(migrated_database(servers.database_url, name), Settings(**settings)).run()
        print(report)
        administer(servers.database_url, f'DROP DATABASE "{name}" WITH (FORCE)')
        return report

    return run


def test_no_quote_that_crosses_a_resting_order_passes_it(stress: Callable[..., Report]) -> None:
    report = stress(seconds=SECONDS, seed=1, matches=61)
    assert report.losses == []
    assert report.judgement.matches > 60


@pytest.mark.long
@pytest.mark.timeout(300)
def test_no_quote_is_missed_in_thousands_of_matches_beside_an_account_that_is_held_for_12_s(
    stress: Callable[..., Report],
) -> None:
    report = stress(seconds=120.0, seed=2, hold_s=12.0)
    assert report.problems == []
    assert report.judgement.matches > 2_000
    assert max(report.quote_ms) < 1_000


def test_without_the_buckets_orders_are_missed(stress: Callable[..., Report]) -> None:
    report = stress(seconds=SECONDS, seed=3, mutation=Mutation.NO_BUCKET_LOCK)
    assert report.judgement.missed > 0


@pytest.mark.long
@pytest.mark.parametrize("mutation", DEFECTS)
def test_each_defect_of_the_protocol_is_seen(stress: Callable[..., Report], mutation: Mutation) -> None:
    report = stress(seconds=15.0, seed=4, mutation=mutation)
    assert report.problems
    if mutation is Mutation.CANCEL_WAITS_FOR_ACCOUNT:
        assert max(report.quote_ms) > 900
        assert report.judgement.missed == 0
