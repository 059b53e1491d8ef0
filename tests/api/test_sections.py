"""The sections of the reference say what the rules do."""

import json
import re
from datetime import date
from decimal import Decimal

import pytest

from api.http.errors import STATUS_BY_CODE
from api.reference.problem_responses import response
from api.reference.sections import SECTIONS, description
from schemas.accounts import ACCOUNT_SCOPES, SERVICE_SCOPES
from tests.support.trading import money
from trading.rules.charges import ITEMS, SCHEDULES, charges_for
from trading.rules.margin import MARGIN_RATES, margin_for
from trading.rules.terms import OrderStatus

TEXTS = {section.name: section.text for section in SECTIONS}


def percent(rate: Decimal) -> str:
    """Return a share as the text writes it."""
    return f"{(rate * 100).normalize():f} %"


def test_the_margin_and_the_charges_are_those_of_the_rules() -> None:
    text, schedule = TEXTS["margin-and-charges"], SCHEDULES[-1]
    rates = [rate for product in schedule.products.values() for rate in (product.brokerage, product.sell_tax)]
    rates += [product.stamp_duty_on_buy for product in schedule.products.values()]
    rates += [*schedule.exchange_charge.values(), schedule.regulatory_fee, schedule.gst, *MARGIN_RATES.values()]
    assert [percent(rate) for rate in rates if rate and percent(rate) not in text] == []
    assert schedule.effective_from.isoformat() in text
    assert f"at most {max(rates.brokerage_cap for rates in schedule.products.values())}" in text


def test_the_example_of_margin_and_charges_is_computed_by_the_rules() -> None:
    text, value = TEXTS["margin-and-charges"], money("25000.00")
    charges = charges_for(exchange="NSE", product="INTRADAY", side="BUY", turnover=value, on=date(2026, 11, 23))
    sum_of_items = " + ".join(str(getattr(charges, item)) for item in ITEMS)
    assert f"{sum_of_items} = {charges.total}" in " ".join(text.split())
    margin, balance = margin_for("INTRADAY", money("2500.00"), 10), money("1000000.00")
    for amount in (value, margin, balance, balance - charges.total, balance - charges.total - margin):
        assert f"{amount:,.2f}" in text


def test_the_example_of_an_error_is_that_of_its_code() -> None:
    (example,) = re.findall(r"```\n(\{.*?\})\n```", TEXTS["errors"], re.DOTALL)
    shown = response(["insufficient_margin"], "/api/trading/orders", ())["content"]["application/problem+json"]
    assert json.loads(example) == shown["examples"]["insufficient_margin"]["value"]


@pytest.mark.parametrize("section", TEXTS)
def test_a_section_names_only_codes_scopes_and_statuses_that_exist(section: str) -> None:
    words = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", TEXTS[section]))
    assert words <= {*STATUS_BY_CODE, "square_off"}
    assert set(re.findall(r"^- `(\w+)`: ", TEXTS["authenticate"], re.MULTILINE)) == {*ACCOUNT_SCOPES, *SERVICE_SCOPES}
    assert set(re.findall(r"\b[A-Z]{6,}\b", TEXTS["orders"])) >= {str(status) for status in OrderStatus} - {"OPEN"}


def test_the_description_has_a_heading_for_each_section() -> None:
    assert re.findall(r"^## (.+)$", description(), re.MULTILINE) == [section.title for section in SECTIONS]
