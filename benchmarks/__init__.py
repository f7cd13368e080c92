"""Benchmarks, run on demand: each prints a figure against a named rival or a stated truth."""
