"""Runs: one training from its request to its folder, and the folder read back."""
