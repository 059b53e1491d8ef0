"""The product's own functions lose no wake-up, and each defect that is put into them is seen."""

import os
from collections.abc import Iterator

import pytest

from tests.matching_stress.connection import Link
from tests.matching_stress.defects import defect
from tests.matching_stress.product import ProductRun
from tests.matching_stress.running import Report
from tests.matching_stress.schema import forget
from tests.matching_stress.settings import Mutation, Settings
from trading.execution import looks, second_look

pytestmark = pytest.mark.slow
# The other defects are seen in plain SQL. The product's first look lists no matched order for its second one, so that a
# second look that claims matched orders is almost never given one.
DEFECTS = [
    Mutation.NO_BUCKET_LOCK,
    Mutation.MODIFY_KEEPS_WATCH,
    Mutation.MATCHING_SKIPS_LOCKED,
    Mutation.RELEASE_SKIPS_LOCKED,
]


@pytest.fixture
def url(clean: None, configured: None, database_url: str) -> Iterator[str]:
    """Return the URL of the run's database, from which the logs are taken away afterwards."""
    yield database_url
    second_look.judge = looks.judge  # which the run has replaced by one that keeps notes
    link = Link(database_url)
    forget(link)
    link.close()


def stress(url: str, **settings: object) -> Report:
    """Run the product's functions for a while, and print the report."""
    chosen = Settings(**settings)
    with defect(chosen.mutation):
        report = ProductRun(url, chosen).run()
    print(report)
    return report


def test_no_quote_that_crosses_a_resting_order_passes_it(url: str) -> None:
    report = stress(url, seconds=6.0, seed=int(os.environ.get("SEED", "1")), matches=26, releases=6)
    assert report.losses == []
    assert report.judgement.matches > 25
    assert report.counts["released"] > 5


@pytest.mark.long
@pytest.mark.timeout(400)
def test_no_quote_is_missed_in_thousands_of_matches_beside_an_account_that_is_held_for_12_s(url: str) -> None:
    report = stress(url, seconds=150.0, seed=2, hold_s=12.0)
    assert report.problems == []
    assert report.judgement.matches > 1_000
    assert max(report.quote_ms) < 1_000


@pytest.mark.long
@pytest.mark.parametrize("mutation", DEFECTS)
def test_each_defect_of_the_product_is_seen(url: str, mutation: Mutation) -> None:
    report = stress(url, seconds=15.0, seed=4, mutation=mutation)
    assert report.problems
