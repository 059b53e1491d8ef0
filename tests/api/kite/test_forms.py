"""Forms and queries are read with Kite's tolerance, and exactly."""

from decimal import Decimal

import pytest
from flask import request

from api.kite import forms
from api.kite.envelope import KiteRefusal

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def read(app):
    """Return a function that reads a request: read("a=1", "b=2") -> values."""

    def make(query="", body="", path=None, headers=FORM):
        with app.test_request_context(f"/kite/x?{query}", method="POST", data=body, headers=headers):
            request.view_args = path
            return forms.values()

    return make


def test_the_form_is_stronger_than_the_query_and_the_query_than_the_path(read):
    assert read("order_id=2&variety=amo", "order_id=3", {"order_id": "1", "variety": "co", "x": "y"}) == {
        "order_id": "3",
        "variety": "amo",
        "x": "y",
    }


def test_of_a_repeated_parameter_the_last_counts(read):
    assert read("segment=a&segment=b", "tag=1&tag=2") == {"segment": "b", "tag": "2"}


def test_nothing_has_three_spellings(read):
    assert read("a=&b=undefined&c=null", "d=&e=undefined&f=null&g=none") == {"g": "none"}


def test_a_value_that_means_nothing_hides_no_other(read):
    assert read("price=10", "price=") == {"price": "10"}


def test_a_body_of_another_type_is_no_form(read):
    assert read("a=1", "b=2", headers={"Content-Type": "application/json"}) == {"a": "1"}
    assert read("a=1", "b=2", headers={}) == {"a": "1", "b": "2"}


@pytest.mark.parametrize("body", ["tag=a%00b", "tag=a%0Ab", "tag=" + "x" * 4_001, "tag=%C2%85"])
def test_a_value_that_no_text_holds_is_refused(read, body):
    with pytest.raises(KiteRefusal, match="Invalid `tag`"):
        read(body=body)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", "1"),
        ("1.0", "1.0"),
        ("100.05000000000001", "100.05000000000001"),
        ("0", "0"),
        ("1e-05", "0.00001"),
        ("1e+16", None),
        ("-1", None),
        ("NaN", None),
        ("Infinity", None),
        ("1_000", None),
        ("١٢", None),
        ("0x10", None),
        ("1" * 41, None),
        ("1e-999999999", None),
        ("True", None),
        ("-12855e52095163", None),
        ("1e-52095163", None),
    ],
)
def test_a_number_is_read_exactly(text, number):
    if number is None:
        with pytest.raises(KiteRefusal, match="Invalid `price`"):
            forms.decimal({"price": text}, "price")
    else:
        assert forms.decimal({"price": text}, "price") == Decimal(number)
    assert forms.decimal({}, "price") is None


def test_a_whole_number_may_have_a_point(read):
    assert forms.whole({"quantity": "10.0"}, "quantity") == 10
    with pytest.raises(KiteRefusal, match="Invalid `quantity`"):
        forms.whole({"quantity": "10.5"}, "quantity")


def test_a_flag_has_the_spellings_of_three_languages():
    assert [forms.flag({"oi": text}, "oi") for text in ("true", "True", "1", "false", "False", "0")] == [True] * 3 + [
        False
    ] * 3
    assert forms.flag({}, "oi", default=True)


def test_a_choice_is_one_of_its_words():
    assert forms.choice({"validity": "day"}, "validity", ("DAY", "IOC")) == "DAY"
    assert forms.choice({}, "validity", ("DAY", "IOC"), "DAY") == "DAY"
    with pytest.raises(KiteRefusal, match="Invalid `validity`"):
        forms.choice({"validity": "GTC"}, "validity", ("DAY", "IOC"))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[1]",
        '{"a":1}',
        "[NaN]",
        "[" * 5_000,
        "\xff",
        '[{"a":1},{"a":2},{"a":3}]',
        '[{"a":1e99999999999999999999}]',
    ],
)
def test_a_list_is_a_bounded_json_list_of_objects(app, body):
    with app.test_request_context("/kite/x", method="POST", data=body.encode("latin-1")), pytest.raises(KiteRefusal):
        forms.json_list(2)


def test_the_numbers_of_a_list_are_exact(app):
    with app.test_request_context("/kite/x", method="POST", data='[{"price": 100.05, "quantity": 1, "tag": null}]'):
        (entry,) = forms.json_list(2)
    assert entry["price"] == Decimal("100.05")
    assert forms.texts_of(entry) == {"price": "100.05", "quantity": "1"}
