"""The lines about orders in the text log: `placed BUY 10 NSE:RELIANCE MARKET acct … order … 6.7 ms`."""

from collections.abc import Mapping
from typing import Any

# The verb of each event, and the facts that follow the order's terms: a word to precede them, and their names.
VERBS = {
    "placement": ("placed", ()),
    "placement_replayed": ("placed before", ()),
    "placement_refused": ("refused", (("", "code"), ("in", "fields"))),
    "order_placed": ("placed", (("for", "origin"),)),
    "order_released": ("released", ()),
    "order_modified": ("modified to", ()),
    "order_opened": ("opened", (("waits for", "waiting_for"),)),
    "order_executed": ("executed", (("at", "price"), ("by", "rule"))),
    "order_rejected": ("rejected", (("", "reason"),)),
    "order_ended": ("", (("by", "reason"),)),  # its status is its verb
    "order_expired": ("expired", (("", "validity"),)),
}
PRICES = (("", "limit_price"), ("trigger", "trigger_price"))
TAIL = (("acct", "account_id"), ("order", "order_id"))
REQUEST = (("request", "request_id"),)


def is_about_order(event: str) -> bool:
    """Return True if an event has a line here."""
    return event in VERBS


def line_of(event: str, facts: Mapping[str, Any]) -> str:
    """Return the line of an event about an order, without its time and its timings by step."""
    verb, details = VERBS[event]
    line = verb or str(facts["status"]).lower()
    if "side" in facts:
        line += _terms(facts)
    elif "path" in facts:
        line += f" {facts['path']}"
    line += _pairs((*details, *TAIL), facts)
    if (took_ms := facts.get("took_ms")) is not None:
        line += f" {took_ms:.1f} ms"
    return line + _pairs(REQUEST, facts)


def _terms(facts: Mapping[str, Any]) -> str:
    order = f" {facts['side']} {facts['quantity']} {facts['exchange']}:{facts['symbol']} {facts['order_type']}"
    return order + _pairs(PRICES, facts)


def _pairs(names: tuple[tuple[str, str], ...], facts: Mapping[str, Any]) -> str:
    """Return the facts that there are, each with its word and after a space."""
    pairs = ""
    for word, name in names:
        if (value := facts.get(name)) is not None:
            pairs += f" {word} {value}" if word else f" {value}"
    return pairs
