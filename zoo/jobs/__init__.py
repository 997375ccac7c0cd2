"""A training as a job: what was asked for, its folder, how it begins, and what it came to."""
