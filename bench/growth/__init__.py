"""Measure everything at five million orders, beside empty tables."""
