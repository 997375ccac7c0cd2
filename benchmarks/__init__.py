"""One module a claim; `python -m benchmarks` lists, runs and publishes them."""
