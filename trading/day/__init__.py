"""The trading day: the work of its ends and the changes of positions that no order makes."""
