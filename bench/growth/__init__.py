"""The benchmark on five million orders, compared with empty tables."""
