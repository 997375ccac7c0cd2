"""From strings to token ids, in the TensorFlow graph."""
