"""Execute PENDING orders: in batches, for busy accounts with patience, and by sweeping."""
