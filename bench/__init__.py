"""Benchmarks: each is one command that measures every figure together with its reference in the same run."""
