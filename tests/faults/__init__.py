"""Faults of servers, processes and networks under load, after which nothing is lost, doubled or unbalanced."""
