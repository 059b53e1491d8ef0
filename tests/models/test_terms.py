"""The terms are the same in the rules, in the database's CHECKs and in the schemas."""

import importlib
import pkgutil
import re
from typing import Any

import pytest

import schemas
from schemas.accounts import ACCOUNT_SCOPES, SERVICE_SCOPES
from schemas.base import StrictSchema
from schemas.events import EVENT_TYPES
from schemas.orders import ORDER_TYPE_SPELLINGS, PRODUCT_SPELLINGS
from trading.market.quotes import NotStored
from trading.rules.ledger import EFFECTS, REALIZED
from trading.rules.quotes import QuoteOutcome
from trading.rules.terms import (
    AccountStatus,
    EndReason,
    Exchange,
    FillModel,
    FillRule,
    HolidayKind,
    LedgerKind,
    LimitFills,
    OrderOrigin,
    OrderStatus,
    OrderType,
    PositionChangeKind,
    Product,
    RejectionReason,
    SessionClass,
    SessionKind,
    Side,
    Validity,
    WaitingFor,
)

# Each column whose CHECK lists words, with its words in Python.
CHECKED = {
    ("account", "fill_model"): FillModel,
    ("account", "status"): AccountStatus,
    ("api_token", "scopes"): (*ACCOUNT_SCOPES, *SERVICE_SCOPES),
    ("fund_transaction", "kind"): LedgerKind,
    ("market_holiday", "calendar"): (Exchange.NSE,),
    ("market_holiday", "kind"): HolidayKind,
    ("position", "product"): Product,
    ("session", "calendar"): (Exchange.NSE,),
    ("session", "class"): SessionClass,
    ("session", "kind"): SessionKind,
    ("position_change", "kind"): PositionChangeKind,
    ("square_off", "session_class"): SessionClass,
    ("stock", "exchange"): Exchange,
    ("stock", "session_class"): SessionClass,
    ("trading_order", "end_reason"): EndReason,
    ("trading_order", "exchange"): Exchange,
    ("trading_order", "fill_model"): FillModel,
    ("trading_order", "limit_fills"): LimitFills,
    ("trading_order", "order_type"): OrderType,
    ("trading_order", "origin"): OrderOrigin,
    ("trading_order", "product"): Product,
    ("trading_order", "side"): Side,
    ("trading_order", "status"): OrderStatus,
    ("trading_order", "validity"): Validity,
    ("trading_order", "waiting_for"): WaitingFor,
}
# The words that the fields of schemas offer, by the field's name, or by Schema.field where that one differs.
OFFERED = {
    "allows_intraday": ("true", "false"),
    "ended": ("true", "false"),
    "end_reason": EndReason,
    "exchange": Exchange,
    "fill_model": FillModel,
    "kind": LedgerKind,
    "limit_fills": LimitFills,
    "order_type": OrderType,
    "origin": OrderOrigin,
    "product": Product,
    "rejection_reason": RejectionReason,
    "rule": FillRule,
    "side": Side,
    "status": OrderStatus,
    "validity": Validity,
    "waiting_for": WaitingFor,
    "interval": ("1m", "1h", "1d"),
    "would_wait_for": WaitingFor,
    "AccountChangeSchema.status": AccountStatus,
    "AccountSchema.status": AccountStatus,
    "AccountStateSchema.status": AccountStatus,
    "AccountEventSchema.type": ("account.updated",),
    "PositionEventSchema.type": ("position.updated",),
    "OrderEventSchema.type": [event_type for event_type in EVENT_TYPES if event_type.startswith("order.")],
    "ProblemSchema.order_status": OrderStatus,
    "AccountSearchSchema.status": AccountStatus,
    "ListedAccountSchema.status": AccountStatus,
    "MarketCalendarSchema.calendar": (Exchange.NSE,),
    "MarketClockSchema.calendar": (Exchange.NSE,),
    "DaySessionSchema.kind": SessionKind,
    "ListedHolidaySchema.kind": HolidayKind,
    "EventSchema.type": EVENT_TYPES,
    "FundsSchema.kind": (LedgerKind.DEPOSIT, LedgerKind.WITHDRAWAL),
    "HolidaySchema.calendar": (Exchange.NSE,),
    "HolidaySchema.kind": HolidayKind,
    "SessionSchema.calendar": (Exchange.NSE,),
    "SessionSchema.kind": SessionKind,
    "session_class": SessionClass,
    "RefusedQuoteSchema.outcome": (*NotStored, *QuoteOutcome),
    "OrderMomentSchema.type": [event_type for event_type in EVENT_TYPES if event_type.startswith("order.")],
}


OF_OPERATORS = ("schemas.operation", "schemas.health")


def fields_with_words() -> dict[str, list[str]]:
    """Return the words of each schema's field that names its words, by Schema.field; not of operators' schemas."""
    for module in pkgutil.iter_modules(schemas.__path__):
        importlib.import_module(f"schemas.{module.name}")
    found, waiting = {}, [StrictSchema]
    while waiting:
        schema = waiting.pop()
        waiting += schema.__subclasses__()
        if schema.__module__.startswith("schemas.") and not schema.__module__.startswith(OF_OPERATORS):
            for name, field in schema._declared_fields.items():
                if "enum" in field.metadata:
                    found[f"{schema.__name__}.{name}"] = field.metadata["enum"]
    return found


FIELDS = fields_with_words()


@pytest.fixture
def checked_words(database: Any) -> dict[tuple[str, str], set[str]]:
    """Return the words that each CHECK of one column or of its domain lists, by table and column."""
    found = database.fetch_all(
        """SELECT relname AS table, attname AS column, pg_get_constraintdef(pg_constraint.oid) AS text
           FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid AND relkind = 'r'
           JOIN pg_constraint ON contype = 'c'
               AND (conrelid = attrelid AND conkey = ARRAY[attnum] OR contypid <> 0 AND contypid = atttypid)"""
    )
    words = {(row["table"], row["column"]): words_of(row["text"]) for row in found}
    return {key: listed for key, listed in words.items() if listed}


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_an_event_may_have_each_of_its_types(database: Any, event_type: str) -> None:
    (check,) = database.fetch_all(
        "SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE conname = 'event_type_check'"
    )
    pattern = re.search(r"~ '(.*)'::text", check["text"])
    assert pattern is not None
    assert re.search(pattern[1], event_type)
    assert not re.search(pattern[1], f"{event_type}d")


def words_of(check: str) -> set[str]:
    """Return the words that a CHECK lists one by one, or in an array."""
    arrays = re.findall(r"'\{([\w,]+)\}'::text\[\]", check)
    return {*re.findall(r"'(\w[\w.]*)'::text", check), *(word for array in arrays for word in array.split(","))}


def test_each_check_lists_the_words_of_its_term(checked_words: dict[tuple[str, str], set[str]]) -> None:
    assert checked_words == {key: {str(word) for word in words} for key, words in CHECKED.items()}


@pytest.mark.parametrize("place", FIELDS)
def test_a_field_offers_the_words_of_its_term(place: str) -> None:
    words = OFFERED[place if place in OFFERED else place.partition(".")[2]]
    assert sorted(set(FIELDS[place]) - {*PRODUCT_SPELLINGS, *ORDER_TYPE_SPELLINGS, None}) == sorted(words)


def test_each_spelling_of_a_product_means_a_product() -> None:
    assert set(PRODUCT_SPELLINGS.values()) == {str(word) for word in Product}


def test_each_kind_of_ledger_entry_has_an_effect() -> None:
    assert set(EFFECTS) == set(LedgerKind)
    assert set(REALIZED) < set(LedgerKind)
