"""The work of the trading day: what happens at its times, and once a day."""
