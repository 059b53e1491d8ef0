"""The desk, the operator's page and their static files."""
