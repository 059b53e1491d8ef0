"""The machine room: logs, metrics, tracing, timing and the link to Redis."""
