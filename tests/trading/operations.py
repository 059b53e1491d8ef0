"""Random operations on two accounts, drawn by hypothesis as a name and its arguments."""

from decimal import Decimal

from hypothesis import strategies as st

SYMBOLS = ("ALPHA", "BETA")
PRICES = st.decimals("0.01", "300.00", places=2)
QUOTES = st.one_of(PRICES, st.decimals("300.00", "5000.00", places=2))
OPENING = Decimal("20000.00")
WHO = st.integers(0, 1)
WHICH = st.integers(0, 10)

ORDER = (
    WHO,
    st.sampled_from(["BUY", "SELL"]),
    st.one_of(st.integers(1, 10), st.integers(1, 60), st.integers(1, 600)),
    st.one_of(st.none(), PRICES),
    st.sampled_from(SYMBOLS),
    st.sampled_from(["INTRADAY", "INTRADAY", "DELIVERY"]),
)
PLACE = st.tuples(st.just("place"), *ORDER)
TRADE = st.tuples(st.just("trade"), *ORDER)
SHOCK = st.tuples(st.just("shock"), WHO, st.sampled_from(["BUY", "SELL"]), st.integers(50, 300), QUOTES)
QUANTITIES = st.one_of(st.none(), st.integers(1, 60), st.integers(1, 600))
MODIFY = st.tuples(st.just("modify"), WHICH, QUANTITIES, st.one_of(st.none(), PRICES))
AMEND = st.tuples(st.just("amend"), *ORDER, QUANTITIES, PRICES)
OPERATIONS = st.one_of(
    PLACE,
    PLACE,
    TRADE,
    TRADE,
    SHOCK,
    st.tuples(st.just("execute"), st.lists(WHICH, min_size=1, max_size=4)),
    st.tuples(st.just("execute"), st.lists(WHICH, min_size=1, max_size=4)),
    st.tuples(st.just("execute_again"), WHICH),
    st.tuples(st.sampled_from(["cancel", "reject", "close"]), WHICH),
    MODIFY,
    AMEND,
    AMEND,
    st.tuples(
        st.just("funds"), WHO, st.sampled_from(["DEPOSIT", "WITHDRAWAL"]), st.decimals("0.01", "9000.00", places=2)
    ),
    st.tuples(st.just("quote"), st.sampled_from(SYMBOLS), QUOTES),
    st.tuples(st.just("convert"), WHICH, st.one_of(st.none(), st.integers(1, 60))),
    st.tuples(st.just("buy_and_convert"), WHO, st.integers(1, 60), PRICES, st.sampled_from(SYMBOLS)),
    st.tuples(st.just("pass_days"), st.sampled_from([0, 0, 1, 2]), st.booleans()),
    # A reset ends what the other operations have begun, so it is drawn rarely.
    st.tuples(st.just("reset"), WHO, st.decimals("0.00", "30000.00", places=2), st.sampled_from([False] * 4 + [True])),
)
