"""Accounts: their ledgers, tokens, idempotency keys, audit and shares of the connections."""
