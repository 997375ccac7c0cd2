"""The blocks of a preset: which values there are, what they mean, and how they are changed."""
