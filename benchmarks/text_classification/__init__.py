"""Benchmarks of text classification."""
