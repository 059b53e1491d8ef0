"""The field types, by properties."""

from datetime import UTC
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from api.http.errors import HttpRefusal
from api.http.pagination import Keyset, read_integer, read_timestamp, read_uuid, read_word
from schemas.fields import MAX_AMOUNT, Money, NumberLiteral, Text, Timestamp

amounts = st.decimals(min_value=Decimal("0.01"), max_value=MAX_AMOUNT, places=2)


@given(amounts)
def test_money_keeps_the_written_value_exactly(amount):
    for value in (str(amount), NumberLiteral(str(amount))):
        assert Money().deserialize(value) == amount
    assert Money().serialize("x", {"x": amount}) == str(amount)


@given(st.integers(min_value=1, max_value=int(MAX_AMOUNT)))
def test_money_may_be_a_json_integer(number):
    assert Money().deserialize(number) == number


@given(
    st.one_of(
        st.floats(),
        st.booleans(),
        st.binary(),
        st.text(),
        st.lists(st.integers()),
        st.integers(max_value=0),
        st.integers(min_value=int(MAX_AMOUNT) + 1),
        st.integers(min_value=1, max_value=10**6).map(lambda number: NumberLiteral(f"{number}e0")),
        st.decimals(places=3).map(str),
    )
)
def test_any_value_is_money_or_a_validation_error(value):
    try:
        amount = Money().deserialize(value)
    except ValidationError:
        return
    assert type(value) is str or type(value) is int
    assert 0 < amount <= MAX_AMOUNT


@given(st.text(alphabet=st.characters(), max_size=20))
def test_a_text_can_be_stored_or_is_refused(text):
    try:
        assert Text(maximum=20).deserialize(text) == text
    except ValidationError:
        return
    assert "\x00" not in text
    text.encode()


@given(st.datetimes(timezones=st.timezones()))
def test_a_timestamp_is_read_back_as_it_was_shown(moment):
    try:
        shown = Timestamp().serialize("x", {"x": moment})
    except OverflowError:  # at the ends of the calendar
        return
    assert len(shown) == len("2026-01-31T09:15:00.000000Z")
    assert Timestamp().deserialize(shown) == moment.astimezone(UTC)


@given(st.text())
def test_any_text_is_a_valid_cursor_or_refused(text):
    keyset = Keyset({"a": read_timestamp, "b": read_uuid, "c": read_integer, "d": read_word})
    with pytest.raises(HttpRefusal):
        keyset.decode(text)


@given(st.integers(min_value=0, max_value=2**63 - 1), st.text(alphabet="ABC&-_.19", min_size=1, max_size=32))
def test_a_cursor_is_read_back_as_it_was_given(number, word):
    keyset = Keyset({"c": read_integer, "stock.d": read_word})
    assert keyset.decode(keyset.encode({"c": number, "d": word})) == [number, word]
