"""Forms as programs write them: the same terms in many spellings, and forms that must be refused."""

import random
from decimal import Decimal

from tests.trading.weeks.generating import Wish

PRODUCTS = {"INTRADAY": "MIS", "DELIVERY": "CNC"}
ORDER_TYPES = {"MARKET": "MARKET", "LIMIT": "LIMIT", "STOP_LIMIT": "SL", "STOP_MARKET": "SL-M"}
NOTHING = ("", "undefined", "null", "0", "0.0")
# Each makes a good form one that must be refused.
SPOILT = (
    {"quantity": "0"},
    {"quantity": "-1"},
    {"quantity": "1.5"},
    {"quantity": "ten"},
    {"quantity": ""},
    {"exchange": "XSE"},
    {"exchange": "undefined"},
    {"tradingsymbol": ""},
    {"transaction_type": "HOLD"},
    {"product": "NRML"},
    {"product": "null"},
    {"order_type": "ICEBERG"},
    {"order_type": ""},
    {"order_type": "LIMIT", "price": "NaN"},
    {"order_type": "LIMIT", "price": "-5"},
    {"order_type": "LIMIT", "price": "0"},
    {"order_type": "LIMIT", "price": "1e400"},
    {"order_type": "SL-M", "trigger_price": "undefined"},
    {"order_type": "SL", "price": "100", "trigger_price": "0"},
    {"validity": "GTC"},
    {"validity": "TTL", "validity_ttl": "0"},
    {"validity": "TTL", "validity_ttl": "soon"},
)


class Speller:
    """A writer of forms who spells the same in many ways."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def placement(self, wish: Wish) -> dict[str, str]:
        """Return the form of a placement."""
        form = {
            "exchange": "NSE",
            "tradingsymbol": wish.symbol,
            "transaction_type": wish.side,
            "product": PRODUCTS[wish.product],
            "order_type": ORDER_TYPES[wish.order_type],
            "quantity": self._whole(wish.quantity or 0),
            "price": self._price(wish.price),
            "trigger_price": self._price(wish.trigger),
            "tag": self.chance.choice(("", "walk", "undefined")),
            "disclosed_quantity": self.chance.choice(NOTHING),
        }
        if wish.validity != "DAY" or self.chance.random() < 0.5:
            form["validity"] = wish.validity
        if wish.minutes:
            form["validity_ttl"] = self._whole(wish.minutes)
        return self._disordered(form | {"variety": "regular"})

    def change(self, wish: Wish, order_id: str) -> dict[str, str]:
        """Return the form of a modification."""
        form = {"order_id": order_id, "variety": "regular", "parent_order_id": "undefined", "validity": ""}
        if wish.order_type or self.chance.random() < 0.3:
            form["order_type"] = ORDER_TYPES.get(wish.order_type, "")
        if wish.quantity:
            form["quantity"] = self._whole(wish.quantity)
        if wish.price or self.chance.random() < 0.3:
            form["price"] = self._price(wish.price)
        if wish.trigger or self.chance.random() < 0.3:
            form["trigger_price"] = self._price(wish.trigger)
        return self._disordered(form)

    def conversion(self, symbol: str, product: str, side: str, quantity: int) -> dict[str, str]:
        """Return the form of a conversion from a product to the other one."""
        other = "CNC" if PRODUCTS[product] == "MIS" else "MIS"
        form = {"exchange": "NSE", "tradingsymbol": symbol, "transaction_type": side, "position_type": "day"}
        products = {"old_product": PRODUCTS[product], "new_product": other}
        return self._disordered(form | products | {"quantity": self._whole(quantity)})

    def spoilt(self, wish: Wish) -> dict[str, str]:
        """Return the form of a placement that must be refused."""
        return self.placement(wish) | self.chance.choice(SPOILT)

    def _whole(self, number: int) -> str:
        return self.chance.choice((f"{number}", f"{number}", f"{number}.0", f"{number}.000", f" {number} "))

    def _price(self, price: Decimal | None) -> str:
        if price is None:
            return self.chance.choice(NOTHING)
        # The sum of binary floats that a program has computed is seldom a whole number of paise.
        near = f"{price:.2f}" + self.chance.choice(("000000000001", "0000001"))
        return self.chance.choice((f"{price}", f"{price:.2f}", repr(float(price)), f"{price:.4f}", near))

    def _disordered(self, form: dict[str, str]) -> dict[str, str]:
        """Return a form with its fields in any order, and one that nobody knows."""
        names = [*form, "algo_id"]
        self.chance.shuffle(names)
        return {name: form.get(name, "undefined") for name in names}
