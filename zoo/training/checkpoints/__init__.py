"""Checkpoints: what they hold, where they lie, and the callback that writes and resumes them."""
