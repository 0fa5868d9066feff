"""Benchmarks that anyone can run: `make bench`, or one by name: `python -m benchmarks hot_swap`."""
