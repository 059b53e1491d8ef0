"""Shapes and ranges of requests and responses; they know neither the database nor the current user."""
