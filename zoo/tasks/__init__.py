"""The tasks: a folder each, with its settings, data, batches, baseline and predictor."""
