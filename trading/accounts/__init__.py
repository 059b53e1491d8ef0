"""Accounts: rows, ledgers, portfolios, tokens, idempotency keys, the audit, and shares of the connections."""
