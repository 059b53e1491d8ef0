"""Bots trade whole days through the door for Kite's clients."""
