"""Figures and checks for operators: the backlog, the operations page, the ledger check."""
