"""Benchmarks of language modeling."""
