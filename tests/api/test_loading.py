"""A schema loads what marshmallow's own way loads, and finds the same mistakes."""

import pytest
from marshmallow import Schema, ValidationError, fields

from schemas.base import StrictSchema
from schemas.order_requests import OrderRequestSchema

ORDER = {"exchange": "NSE", "symbol": "tcs", "side": "BUY", "quantity": 5, "orderType": "LIMIT", "price": "10.05"}


class Nested(StrictSchema):
    """Orders in a list, and a default that is made anew each time."""

    orders = fields.List(fields.Nested(OrderRequestSchema))
    parts = fields.List(fields.Integer(), load_default=list)


def outcome(schema, data, **options):
    """Return what a schema loads, or its errors."""
    try:
        return schema.load(data, **options)
    except ValidationError as error:
        return error.messages


@pytest.mark.parametrize(
    "data",
    [
        ORDER,
        ORDER | {"triggerPrice": None, "tag": "a"},
        ORDER | {"quantity": "5", "side": 1},
        ORDER | {"pric": "1"},
        ORDER | {"order_type": "LIMIT"},
        {key: value for key, value in ORDER.items() if key != "price"},
        {key: value for key, value in ORDER.items() if key != "symbol"},
        {},
        [],
        None,
    ],
)
def test_an_order_is_loaded_alike(data, monkeypatch):
    found = outcome(OrderRequestSchema(), data)
    nested = outcome(Nested(), {"orders": [ORDER, data]})
    many = outcome(OrderRequestSchema(many=True), [data, ORDER])
    partial = outcome(OrderRequestSchema(), data, partial=("symbol", "price"))
    monkeypatch.setattr(StrictSchema, "_deserialize", Schema._deserialize)
    assert found == outcome(OrderRequestSchema(), data)
    assert nested == outcome(Nested(), {"orders": [ORDER, data]})
    assert many == outcome(OrderRequestSchema(many=True), [data, ORDER])
    assert partial == outcome(OrderRequestSchema(), data, partial=("symbol", "price"))


def test_a_default_that_is_made_is_made_each_time():
    first, second = Nested().load({"orders": []}), Nested().load({"orders": []})
    first["parts"].append(1)
    assert second["parts"] == []
