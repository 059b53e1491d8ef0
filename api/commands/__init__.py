"""The command line: `flask accounts`, `flask orders`, `flask db` and the other commands."""
