"""The rules of orders, margin, charges and the ledger, and their transactions; pure rules are in trading.rules."""
