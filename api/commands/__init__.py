"""The command line: `tradepost accounts`, `tradepost orders`, `tradepost db` and the other commands."""
