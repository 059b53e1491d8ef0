"""Deliver events to listeners over websockets and server-sent events."""
