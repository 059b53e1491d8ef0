"""The hosts of a URL: which are tried, and in which order."""

import pytest
from psycopg2.extensions import parse_dsn

from models.places import Places, for_writing

LIST = parse_dsn("postgresql://127.0.0.1:1,127.0.0.1:2,127.0.0.1:3/x")


def ports(places):
    return [place["port"] for place in places.in_order()]


@pytest.mark.parametrize(
    ("url", "attributes"),
    [
        ("postgresql://a,b/x", "read-write"),
        ("postgresql:///x?host=a,b", "read-write"),
        ("postgresql://a,b/x?target_session_attrs=any", "any"),
        ("postgresql://a/x", None),
        ("postgresql:///x", None),
    ],
)
def test_of_a_list_the_writable_server_is_wished_for(url, attributes):
    assert for_writing(parse_dsn(url)).get("target_session_attrs") == attributes


def test_the_place_that_served_last_comes_first_until_it_fails():
    places = Places(LIST)
    places.served(places.in_order()[2])
    assert ports(places) == ["3", "1", "2"]
    places.failed(places.in_order()[0], is_silent=False)
    assert ports(places) == ["1", "2", "3"]


def test_a_silent_place_comes_after_one_that_refused_later():
    places = Places(LIST)
    first, second, _ = places.in_order()
    places.failed(first, is_silent=True)
    places.failed(second, is_silent=False)
    assert ports(places) == ["3", "2", "1"]
