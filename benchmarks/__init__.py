"""Benchmarks: each prints a table, says what it compared, and writes JSON."""
