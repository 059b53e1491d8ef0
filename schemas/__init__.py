"""Shapes and ranges of what comes in and goes out; no database, no current user."""
