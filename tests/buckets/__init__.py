"""Accounts in several buckets: each is a schema of its own of one database."""
