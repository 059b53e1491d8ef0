"""The results of the benchmarks as tables, pages and plots."""
