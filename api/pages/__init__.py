"""Serve the desk, the operator's page and the files that they consist of."""
