"""The accounts, tokens and stocks of the benchmarks; clients and server compute the same names for them."""

from decimal import Decimal

from models.database import execute, transactional
from trading.matching.feed import set_quotes

ACCOUNTS = 1_000
STOCKS = 20
EXCHANGE = "NSE"
SYMBOL_PREFIX = "BENCH"
# A price at which every order has charges: at 1.00 they round to 0.00, and the order has one ledger entry less.
PRICE = Decimal("1000.00")
OPENING_BALANCE = Decimal("1000000000.00")
# Version 7 of a UUID whose random part is the account's number in decimal digits.
ACCOUNT_PREFIX = "00000000-0000-7000-8000-"
TOKEN_PREFIX = "tp_bench_"

INSERT_ACCOUNTS = """
INSERT INTO account (id, name, balance)
SELECT (%(account_prefix)s || lpad(number::text, 12, '0'))::uuid, 'Bench ' || number, %(balance)s
FROM generate_series(1, %(accounts)s) AS number
"""
INSERT_DEPOSITS = """
INSERT INTO fund_transaction (account_id, kind, amount, balance_after, blocked_after)
SELECT id, 'DEPOSIT', balance, balance, 0 FROM account ORDER BY id
"""
INSERT_TOKENS = """
INSERT INTO api_token (id, digest, account_id, scopes)
SELECT gen_random_uuid(), sha256(convert_to(%(token_prefix)s || number, 'UTF8')),
       (%(account_prefix)s || lpad(number::text, 12, '0'))::uuid, ARRAY['trade', 'read']
FROM generate_series(1, %(accounts)s) AS number
"""


def token_of(number: int) -> str:
    """Return the secret of an account's token; accounts are numbered from 1."""
    return f"{TOKEN_PREFIX}{number}"


def symbol_of(number: int) -> str:
    """Return the symbol of a stock; stocks are numbered from 1."""
    return f"{SYMBOL_PREFIX}{number}"


def seed() -> None:
    """Create the accounts with their deposits and tokens, and set a price for every stock."""
    _open_accounts()
    set_quotes([(EXCHANGE, symbol_of(number), PRICE) for number in range(1, STOCKS + 1)])


@transactional
def _open_accounts() -> None:
    parameters = {
        "account_prefix": ACCOUNT_PREFIX,
        "token_prefix": TOKEN_PREFIX,
        "accounts": ACCOUNTS,
        "balance": OPENING_BALANCE,
    }
    for statement in (INSERT_ACCOUNTS, INSERT_DEPOSITS, INSERT_TOKENS):
        execute(statement, parameters)
