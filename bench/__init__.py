"""Benchmarks: one command each, every figure beside its reference in the same run."""
