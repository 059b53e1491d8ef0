"""Read the files of a replay: quotes and orders as CSV, checked with the schemas of the API."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError

from api.http.errors import HttpRefusal, invalid
from schemas.fields import parse_timestamp
from schemas.market import QuoteSchema, StockKeySchema
from schemas.order_requests import OrderChangeSchema, OrderRequestSchema
from schemas.orders import PRODUCT_SPELLINGS, PRODUCTS
from trading.market.quotes import GivenQuote
from trading.orders.modification import OrderChange
from trading.replay.inputs import Action, QuoteInput
from trading.rules.decision import OrderRequest

from .command_input import at_line, load
from .csv_input import CsvFile, cells_of, open_csv
from .progress import reading

QUOTE, REQUEST, CHANGE, KEY = QuoteSchema(), OrderRequestSchema(), OrderChangeSchema(), StockKeySchema()
QUOTE_NEEDS = ("at", "exchange", "symbol", "lastPrice")
QUOTE_TAKES = (
    *("bidPrice", "askPrice", "bidQuantity", "askQuantity", "lastTradedAt", "volume", "open", "low", "high"),
    *("previousClose", "closePrice", "lowerCircuit", "upperCircuit", "halted"),
)
ACTION_NEEDS = ("at", "action", "account")
TERMS = (
    *("clientOrderId", "exchange", "symbol", "side", "product", "orderType", "quantity", "price", "triggerPrice"),
    *("validity", "validityMinutes", "marketProtection", "afterMarket", "tag"),
)
CHANGES = ("orderType", "quantity", "price", "triggerPrice")
WHOLE = frozenset({"volume", "bidQuantity", "askQuantity", "quantity", "validityMinutes"})
FLAGS = frozenset({"halted", "afterMarket"})
TRUTH = {"true": True, "false": False}
KINDS = ("place", "cancel", "modify", "close")


def find_days(path: str) -> tuple[datetime, datetime] | None:
    """Return the times of a file's first and last quote, None without one; the quotes must be in time order."""
    first = last = None
    with open_csv(path) as file, reading(file, file.lines, "looking through the quotes") as lines:
        _check_header(file, QUOTE_NEEDS, QUOTE_TAKES)
        place = file.header.index("at")
        for number, line in lines:
            try:
                at = _time((cells_of(line) + [""] * place)[place])
                if last is not None and at < last:
                    raise invalid({"at": ["Is before the time of the line above it."]})
            except HttpRefusal as refusal:
                raise at_line(number, refusal) from None
            first, last = first or at, at
    return None if first is None or last is None else (first, last)


def read_quotes(path: str) -> Iterator[QuoteInput]:
    """Yield the quotes of a file; raise HttpRefusal for a line that is not valid."""
    with open_csv(path) as file, reading(file, file.lines, "replaying") as lines:
        _check_header(file, QUOTE_NEEDS, QUOTE_TAKES)
        for number, line in lines:
            try:
                row = file.row(line)
                at = _time(row.pop("at", ""))
                yield QuoteInput(at, GivenQuote(**load(QUOTE, _typed(row)), quoted_at=at))
            except HttpRefusal as refusal:
                raise at_line(number, refusal) from None


def read_actions(path: str) -> list[Action]:
    """Return the actions of a file by their times; raise HttpRefusal for a line that is no action.

    An order with terms that the API refuses is an action all the same: its refusal is a result.
    """
    with open_csv(path) as file, reading(file, file.lines, "reading the orders") as lines:
        _check_header(file, ACTION_NEEDS, TERMS)
        actions = []
        for number, line in lines:
            try:
                actions.append(_action(number, file.row(line)))
            except HttpRefusal as refusal:
                raise at_line(number, refusal) from None
    return sorted(actions, key=lambda action: action.at)


def _action(number: int, row: dict[str, str]) -> Action:
    at, kind, account = _time(row.get("at", "")), row.get("action", "").lower(), row.get("account", "")
    if kind not in KINDS:
        raise invalid({"action": [f"Must be one of: {', '.join(KINDS)}."]})
    if not account or len(account) > 200:
        raise invalid({"account": ["Must be a name of 1 to 200 characters."]})
    name = row.get("clientOrderId") or None
    if kind in ("cancel", "modify") and name is None:
        raise invalid({"clientOrderId": ["Is required: it names the order."]})
    action = Action(number, at, kind, account, name)
    values, refusal = _loaded(kind, row)
    if values is None:
        return action._replace(refusal=refusal)
    if kind == "place":
        del values["account_id"]
        return action._replace(request=OrderRequest(**values))
    if kind == "modify":
        del values["account_id"]
        return action._replace(change=OrderChange(**values))
    if kind == "close":
        product = row.get("product", "").upper() or PRODUCTS[0]
        position = (values["exchange"], values["symbol"], PRODUCT_SPELLINGS.get(product, product))
        return action._replace(position=position)
    return action


def _loaded(kind: str, row: Mapping[str, str]) -> tuple[dict[str, Any] | None, str | None]:
    """Return the fields that an action's schema loads from a row, or the code of its refusal."""
    schemas: dict[str, tuple[Schema, tuple[str, ...]]] = {
        "place": (REQUEST, TERMS),
        "modify": (CHANGE, CHANGES),
        "close": (KEY, ("exchange", "symbol")),
    }
    if kind not in schemas:
        return {}, None
    schema, names = schemas[kind]
    try:
        values: dict[str, Any] = schema.load(_typed({name: row[name] for name in names if name in row}))
    except ValidationError:
        return None, "validation_failed"
    return values, None


def _typed(row: Mapping[str, str]) -> dict[str, Any]:
    """Return the cells that are not empty as the values that JSON would have."""
    values: dict[str, Any] = {}
    for name, cell in row.items():
        if not cell:
            continue
        if name in WHOLE and cell.isdecimal():
            values[name] = int(cell)
        elif name in FLAGS:
            values[name] = TRUTH.get(cell.lower(), cell)
        else:
            values[name] = cell
    return values


def _time(cell: str) -> datetime:
    at = parse_timestamp(cell)
    if at is None:
        raise invalid({"at": ["Must be an RFC 3339 timestamp, such as 2026-11-27T09:15:00+05:30."]})
    return at


def _check_header(file: CsvFile, needed: tuple[str, ...], taken: tuple[str, ...]) -> None:
    missing = {name: ["Is missing."] for name in needed if name not in file.header}
    unknown = {name: ["Is unknown."] for name in file.header if name not in needed and name not in taken}
    if missing or unknown:
        raise invalid({f"line 1, {name}": text for name, text in (missing | unknown).items()})
