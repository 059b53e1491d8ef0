"""`python -m api.commands` is the command `tradepost`, where that is not installed."""

from .program import main

if __name__ == "__main__":
    main()
