"""The work of a trading day: after-market orders, square-off, and the settlement of deliveries."""
