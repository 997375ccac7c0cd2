"""Training speed on a GPU."""
