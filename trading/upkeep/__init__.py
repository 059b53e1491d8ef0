"""Figures for operators, and the check of the ledger."""
