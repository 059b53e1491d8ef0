"""Matching of resting orders with quotes: the quotes' transaction, and the locks that it shares with the others."""
