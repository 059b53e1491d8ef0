"""The delivery of events to listeners: by websockets, server-sent events and waiting requests."""
