"""What the product is about: the rules of orders, margin, charges and the ledger."""
