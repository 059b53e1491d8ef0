"""Execution of PENDING orders: in batches, with a bounded wait for busy accounts, and by sweeping."""
