"""The terms of the API: lists of words that schemas share, each a schema of its own in the OpenAPI document."""

from collections.abc import Iterable
from typing import Any

from api.http.errors import STATUS_BY_CODE
from schemas.accounts import ACCOUNT_SCOPES, INTERVALS, SERVICE_SCOPES
from schemas.events import EVENT_TYPES
from schemas.market import NOT_MATCHED, NOT_STORED
from schemas.orders import LIVE_STATUSES, ORDER_TYPE_SPELLINGS, ORDER_TYPES, PRODUCT_SPELLINGS, PRODUCTS
from trading.rules.terms import (
    AccountStatus,
    EndReason,
    Exchange,
    FillModel,
    FillRule,
    LedgerKind,
    OrderOrigin,
    OrderStatus,
    OrderType,
    Product,
    RejectionReason,
    SessionClass,
    Side,
    Validity,
    WaitingFor,
)

Schema = dict[str, Any]


def _spelled(spellings: dict[str, str]) -> str:
    return ", ".join(f"`{spelling}` means `{word}`" for spelling, word in spellings.items())


# Each term with its words and its description.
TERMS: dict[str, tuple[Iterable[str], str]] = {
    "Exchange": (Exchange, "The exchange at which a stock is traded."),
    "Interval": (
        INTERVALS,
        "The time between two points: they are at each full minute, each full hour or each midnight of Indian time.",
    ),
    "Side": (Side, "The direction of an order: `BUY` adds to the position, `SELL` takes from it."),
    "Product": (
        Product,
        (
            "The kind of a position. `INTRADAY` blocks a part of its value, may be short, and is closed at the end "
            "of the day. `DELIVERY` is paid in full, is never short, and may be kept."
        ),
    ),
    "GivenProduct": (
        [*PRODUCTS, *PRODUCT_SPELLINGS],
        f"A product in a request; answers say the first two words. {_spelled(PRODUCT_SPELLINGS)}.",
    ),
    "OrderType": (
        OrderType,
        (
            "The way to the price of an order. `MARKET` takes the price of the market. `LIMIT` fills at its `price` "
            "or better. `STOP_LIMIT` and `STOP_MARKET` wait until the last price reaches `triggerPrice`, and are "
            "then such orders."
        ),
    ),
    "GivenOrderType": (
        [*ORDER_TYPES, *ORDER_TYPE_SPELLINGS],
        f"An order type in a request; answers say the first four words. {_spelled(ORDER_TYPE_SPELLINGS)}.",
    ),
    "OrderStatus": (
        OrderStatus,
        (
            "The status of an order. `PENDING`: accepted, and not looked at yet. `OPEN`: it rests until the market "
            "reaches it. The others are final: `EXECUTED` (filled whole), `CANCELLED`, `REJECTED` (it could not be "
            "filled) and `EXPIRED` (its time is over)."
        ),
    ),
    "LiveOrderStatus": (LIVE_STATUSES, "The status of a live order: one that may still fill."),
    "Validity": (
        Validity,
        (
            "The time for which an order waits. `DAY`: until its session closes. `IOC`: it fills at once or is "
            "cancelled. `TTL`: for `validityMinutes`. `GTC`: until it is cancelled."
        ),
    ),
    "WaitingFor": (
        WaitingFor,
        "The thing that a live order waits for: its `price`, its `trigger`, a usable `quote`, or its `session`.",
    ),
    "RejectionReason": (
        RejectionReason,
        (
            "The reason for which an accepted order was rejected at its execution. `execution_failed`: it was tried "
            "five times in vain."
        ),
    ),
    "EndReason": (
        EndReason,
        (
            "The reason for which an order ended without a fill. `client`: somebody cancelled it. `ioc`: it could "
            "not fill at once. `square_off`: the end of the day. `oco`: its partner was filled. `reset`: the account "
            "was reset. `stock_inactive`: its stock is not traded any more."
        ),
    ),
    "OrderOrigin": (OrderOrigin, "The one who placed an order: a `CLIENT`, or the `SQUARE_OFF` at the end of the day."),
    "FillRule": (
        FillRule,
        (
            "The rule that filled an order. `first_look`, `market` and `stop`: at the other side of the book. "
            "`book`, `trade_through` and `touch`: at the limit, which the book or a new trade had reached. "
            "`close_price`: at the official close, or the session's last price."
        ),
    ),
    "FillModel": (
        FillModel,
        "The way orders fill. `IMMEDIATE`: at once, at their own or the last price. `QUOTES`: against live quotes.",
    ),
    "LedgerKind": (
        LedgerKind,
        (
            "The kind of a ledger entry. `DEPOSIT`, `CHARGES_REFUND`, `PROFIT` and `ADJUST_CREDIT` add to the "
            "balance; `WITHDRAWAL`, `CHARGES`, `LOSS` and `ADJUST_DEBIT` take from it. `MARGIN_BLOCK` and "
            "`MARGIN_RELEASE` change only the blocked margin."
        ),
    ),
    "AccountStatus": (AccountStatus, "A `SUSPENDED` account may not place, close, convert or change anything."),
    "SessionClass": (SessionClass, "The class of a stock's sessions; those of `AUCTION` end earlier."),
    "Scope": (
        [*ACCOUNT_SCOPES, *SERVICE_SCOPES],
        (
            "A right of a token. `trade` and `read` are for the token's own account; `feed` sends quotes; `admin` "
            "manages accounts, and trades for each of them."
        ),
    ),
    "QuoteOutcome": (
        [*NOT_STORED, *NOT_MATCHED],
        (
            "The reason for which a quote was not stored (`stale`: older than the stored one; `future`: from more "
            "than 2 s ahead; `no_last_price`), or was stored and matches no order (`session_closed`, `halted`, "
            "`crossed_book`, `out_of_day_range`, `too_old`)."
        ),
    ),
    "EventType": (
        EVENT_TYPES,
        "The type of an event. " + " ".join(f"`{name}`: {words}" for name, words in EVENT_TYPES.items()),
    ),
    "OrderEventType": (
        [name for name in EVENT_TYPES if name.startswith("order.")],
        "The type of an order's event; `EventType` says when each happens.",
    ),
    "ProblemCode": (
        STATUS_BY_CODE,
        "The kind of a problem, a stable word for programs. Programs should treat an unknown one by its status.",
    ),
}
NAME_BY_WORDS = {frozenset(words): name for name, (words, _) in TERMS.items()}


def share(document: dict[str, Any]) -> None:
    """Replace each list of words in an OpenAPI document that is a term by a reference to the term's schema."""
    components = document["components"]["schemas"]
    for schema in components.values():
        _share(schema)
    for item in document["paths"].values():
        parameters = [operation["parameters"] for method, operation in item.items() if method != "parameters"]
        for parameter in [*item["parameters"], *(each for several in parameters for each in several)]:
            _share(parameter["schema"])
    components |= {
        name: {"type": "string", "description": description, "enum": [str(word) for word in words]}
        for name, (words, description) in TERMS.items()
    }


def explain(schema: Schema) -> None:
    """Describe each list of words in a schema that is a term and has no description, by the term's."""
    name = NAME_BY_WORDS.get(frozenset(schema.get("enum", ())) - {None})
    if name is not None:
        schema.setdefault("description", TERMS[name][1])
    for below in schema.get("properties", {}).values():
        explain(below)


def _share(schema: Schema) -> None:
    name = schema.pop("x-term", None) or NAME_BY_WORDS.get(frozenset(schema.get("enum", ())) - {None})
    if name is not None:
        is_nullable = None in schema.pop("enum", ()) or "null" in schema.get("type", ())
        schema.pop("type")
        reference = {"$ref": f"#/components/schemas/{name}"}
        schema |= {"anyOf": [reference, {"type": "null"}]} if is_nullable else reference
        return
    for below in (*schema.get("properties", {}).values(), *schema.get("anyOf", ())):
        _share(below)
    if "items" in schema:
        _share(schema["items"])
