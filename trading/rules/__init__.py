"""The pure rules of trading: they take numbers and return results, without database, clock, network or log."""
