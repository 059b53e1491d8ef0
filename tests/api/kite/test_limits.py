"""Limits at the door of Kite's clients: none but those of placements, unless the settings ask for Kite's own."""

import dataclasses

import pytest

from actors import broker
from api import create_app
from tests.support.kite import kite_headers
from trading.accounts import tokens


@pytest.fixture
def strict_client(settings, clean, configured):
    yield create_app(dataclasses.replace(settings, kite_strict_rate_limits=True)).test_client()
    broker.configure(settings, role="web")


def statuses(client, path, headers, number):
    return [client.get(path, headers=headers).status_code for _ in range(number)]


def test_reads_are_not_limited_by_default(client, account):
    assert set(statuses(client, "/user/profile", kite_headers(account().token), 30)) == {200}


def test_kites_own_limit_refuses_the_eleventh_read_of_a_second(strict_client, account):
    headers = kite_headers(account().token)
    # A second may end while they are sent: of 23 in at most two seconds, three are too many.
    found = [strict_client.get("/user/profile", headers=headers) for _ in range(23)]
    refused = [answer for answer in found if answer.status_code == 429]
    assert refused
    assert refused[0].get_json() == {
        "status": "error",
        "message": "Too many requests",
        "data": None,
        "error_type": "NetworkException",
    }


def test_kites_own_limits_are_of_each_token(strict_client, account):
    trader = account()
    _, other = tokens.create_token(["read"], account_id=trader.id)
    statuses(strict_client, "/user/profile", kite_headers(trader.token), 23)
    assert strict_client.get("/user/profile", headers=kite_headers(other)).status_code == 200


def test_an_account_may_place_four_hundred_orders_in_a_minute(strict_client, account, redis_client):
    headers = kite_headers(account().token)
    strict_client.post("/orders/regular", headers=headers)
    (window,) = redis_client.keys("*kite-orders-minute:*")
    redis_client.set(window, 400, keepttl=True)
    answer = strict_client.post("/orders/regular", headers=headers)
    assert (answer.status_code, answer.get_json()["message"]) == (429, "Maximum allowed order requests exceeded.")
