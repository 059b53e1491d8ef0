"""The market of the reckoning of weeks, taken step by step, without sessions, and with conversions."""

from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from tests.trading.reckoning import OTHER
from tests.trading.weeks.calendar_of_weeks import INDIA, Days, at
from tests.trading.weeks.generating import Quote, Week, Wish
from tests.trading.weeks.market import NEVER, Market, Owner, Refused, Stock


@dataclass(frozen=True)
class AlwaysOpen(Days):
    """Days without a calendar: the market is open from midnight to midnight, and nothing is squared off."""

    def session_of(self, now: datetime, session_class: str) -> tuple[datetime, datetime, datetime] | None:
        """Return the beginning of the day, no time of a square-off, and its end."""
        begin = at(now.astimezone(INDIA).date(), 0, 0)
        return begin, NEVER, begin + timedelta(days=1)


class Model(Market):
    """A market that is asked for one thing after the other."""

    def __init__(self, first: datetime, balance: Decimal, symbols: tuple[str, ...]) -> None:
        day = first.date()
        super().__init__(Week(AlwaysOpen(day, day, frozenset(), frozenset()), [], []), balance)
        self.stocks = {symbol: Stock("NORMAL") for symbol in symbols}

    def reach(self, moment: datetime) -> None:
        """Let it be a time."""
        self._expire_until(moment)
        self.now = moment

    def quote(self, quote: Quote) -> None:
        """Take a quote."""
        self.reach(quote.at)
        self._quote(quote)

    def ask(self, wish: Wish) -> str | None:
        """Do what an owner asks for; return the code of its refusal, or None."""
        self.reach(wish.at)
        owner = self.owners[wish.owner]
        kinds = {"place": self._place, "modify": self._modify, "cancel": self._cancel}
        try:
            kinds[wish.kind](owner, wish)
        except Refused as refusal:
            return str(refusal)
        return None

    def convert(self, owner: Owner, symbol: str, product: str, quantity: int) -> str | None:
        """Convert a quantity to the other product; return the code of the refusal, or None."""
        lot = owner.money.lots.get((symbol, product))
        if lot is None or owner.money.convertible(symbol, product) < quantity:
            return "not_convertible"
        if deepcopy(owner.money).convert(symbol, product, quantity) > max(0, owner.money.available()):
            return "insufficient_margin"
        owner.money.convert(symbol, product, quantity)
        today = self.now.astimezone(INDIA).date()
        if OTHER[product] == "DELIVERY":
            owner.shares.setdefault(symbol, []).append([today, quantity])
        else:
            self._take_back(owner.shares[symbol], quantity)
        return None

    def _take_back(self, shares: list[list], quantity: int) -> None:
        """Take a quantity from the newest shares."""
        while quantity:
            taken = min(quantity, shares[-1][1])
            shares[-1][1] -= taken
            quantity -= taken
            if not shares[-1][1]:
                shares.pop()
