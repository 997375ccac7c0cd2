"""A task of the tests: fit a curve through points `(x, y)`."""
