"""The rules of trading, pure: numbers in, a frozen result out; no database, clock, network or log."""
