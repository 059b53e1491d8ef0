"""The clients that create load: HTTP orders, pgbench's plain statements, and websocket listeners."""
