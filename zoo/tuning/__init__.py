"""Search over a preset's `search:` block with keras-tuner."""
