"""The client package knows what /openapi.json says: operations, parameters, members of objects, codes of problems."""

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from api.http.errors import STATUS_BY_CODE
from api.reference.problem_responses import REFUSAL_BY_CODE
from tests.security.operations import operations_of
from tradepost_client import AsyncClient, Client, Problem
from tradepost_client.async_client import AsyncAdmin
from tradepost_client.calls import Call, Listing
from tradepost_client.client import Admin
from tradepost_client.json_shapes import camel_case, written
from tradepost_client.shapes import accounts, market, orders

# These serve operators and schedulers, who use curl, Prometheus and the command line.
NOT_FOR_CLIENTS = ("/health/", "/metrics", "/api/cron/", "/api/admin/")
ADMIN = ("/api/admin/accounts", "/api/admin/tokens", "/api/admin/holidays")
# A client gives these by itself.
GIVEN_BY_CLIENT = {"tradingAccountId", "cursor"}
SCHEMAS = {
    "Account": accounts.Account,
    "Cancellations": orders.Cancellations,
    "Closed": orders.Closed,
    "Closings": orders.Closings,
    "DaySession": market.DaySession,
    "ListedAccount": accounts.ListedAccount,
    "ListedHoliday": market.Holiday,
    "ListedToken": accounts.Token,
    "MarketCalendar": market.MarketCalendar,
    "NotCancelled": orders.NotCancelled,
    "NotClosed": orders.NotClosed,
    "EquityPoint": accounts.EquityPoint,
    "ChargeItems": orders.ChargeItems,
    "ClassSession": market.ClassSession,
    "Converted": accounts.Conversion,
    "Fill": orders.Fill,
    "Holding": accounts.Holding,
    "MarketClock": market.MarketClock,
    "Order": orders.Order,
    "OrderDetail": orders.OrderDetail,
    "OrderMoment": orders.OrderMoment,
    "Placement": orders.Placement,
    "Position": accounts.Position,
    "Preview": orders.Preview,
    "Reception": market.Reception,
    "RefusedQuote": market.RefusedQuote,
    "Stock": market.Stock,
    "Token": accounts.NewToken,
    "Trade": orders.Trade,
    "Transaction": accounts.Transaction,
    "BasketResult": orders.BasketResult,
}
MOMENT = datetime(2026, 11, 27, tzinfo=UTC)
NOT_IN_SCHEMA = {orders.OrderDetail: {"etag"}}


@pytest.fixture
def document(client: Any) -> dict[str, Any]:
    return client.get("/openapi.json").get_json()


def sample(kind: Any) -> Any:
    """Return a value of a type: its first alternative, and all members of a TypedDict."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.NotRequired, typing.Required) or origin in (typing.Union, types.UnionType):
        return sample(next(argument for argument in arguments if argument is not type(None)))
    if origin is typing.Literal:
        return arguments[0]
    if typing.is_typeddict(kind):
        return {name: sample(member) for name, member in typing.get_type_hints(kind).items()}
    if origin is not None:
        return [sample(arguments[0])]
    return {str: "x", int: 1, bool: True, date: date(2026, 11, 27), datetime: MOMENT}.get(kind, "1")


def call_of(operation: Callable[..., Any]) -> Call[Any]:
    """Return the call that an operation builds when every argument is given."""
    hints, arguments = typing.get_type_hints(operation), {}
    for parameter in inspect.signature(operation).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            arguments |= sample(typing.get_args(hints[parameter.name])[0])
        else:
            arguments[parameter.name] = sample(hints[parameter.name])
    built = operation(**arguments)
    return built.first if isinstance(built, Listing) else built


def calls_of(*callers: type) -> Iterator[Call[Any]]:
    for caller in callers:
        for name in vars(caller):
            operation = getattr(caller, name)
            if getattr(operation, "__module__", "").startswith("tradepost_client.operations."):
                yield call_of(operation)


def fits(path: str, template: str) -> bool:
    parts, wanted = path.split("/"), template.split("/")
    return len(parts) == len(wanted) and all(
        want == part or want[:1] == "{" for part, want in zip(parts, wanted, strict=True)
    )


def members_of(document: Mapping[str, Any], schema: Mapping[str, Any]) -> set[str]:
    if "$ref" in schema:
        return members_of(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    return set(schema.get("properties", {})).union(*(members_of(document, part) for part in schema.get("allOf", ())))


def given_names(given: Mapping[str, Any] | None) -> set[str]:
    return set(written(given or {}))


def test_every_operation_for_clients_is_covered_with_all_its_parameters(document: dict[str, Any]) -> None:
    calls = list(calls_of(Client, Admin))
    missing = []
    for operation in operations_of(document):
        if operation.path.startswith(NOT_FOR_CLIENTS) and not operation.path.startswith(ADMIN):
            continue
        found = [call for call in calls if call.method == operation.method and fits(call.path, operation.path)]
        queries = {
            parameter["name"] for parameter in operation.spec.get("parameters", ()) if parameter["in"] == "query"
        }
        content = operation.spec.get("requestBody", {}).get("content", {}).get("application/json", {})
        bodies = members_of(document, content.get("schema", {}))
        told = {name for call in found for name in given_names(call.query) | given_names(call.body)}
        if not found or (queries | bodies) - GIVEN_BY_CLIENT != told:
            missing.append((operation.method, operation.path, sorted(((queries | bodies) - GIVEN_BY_CLIENT) ^ told)))
    assert missing == []


def test_both_clients_have_the_same_operations() -> None:
    for caller, twin in ((Client, AsyncClient), (Admin, AsyncAdmin)):
        names = [name for name in vars(caller) if not name.startswith("_")]
        assert names == [name for name in vars(twin) if not name.startswith("_")]
        for name in names:
            assert (
                inspect.signature(getattr(caller, name)).parameters == inspect.signature(getattr(twin, name)).parameters
            )


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_shape_has_the_members_of_its_schema(name: str, document: dict[str, Any]) -> None:
    shape = SCHEMAS[name]
    fields = {field.name for field in dataclasses.fields(shape)} - NOT_IN_SCHEMA.get(shape, set())
    assert {camel_case(field) for field in fields} == members_of(document, document["components"]["schemas"][name])


def test_every_shape_is_held_against_a_schema() -> None:
    known = {*SCHEMAS.values(), market.LiveQuote}
    for module in (accounts, market, orders):
        shapes = filter(dataclasses.is_dataclass, vars(module).values())
        assert {shape for shape in shapes if shape.__module__ == module.__name__} <= known


@pytest.mark.parametrize("code", STATUS_BY_CODE)
def test_every_code_has_an_exception_with_its_members(code: str) -> None:
    refusal = REFUSAL_BY_CODE[code]
    details = dict(getattr(refusal, "details", {}))
    kind = Problem.of_code[code]
    assert set(details) <= set(typing.get_type_hints(kind))
