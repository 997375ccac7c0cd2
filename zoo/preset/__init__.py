"""Presets: schemas of their blocks, reading, overriding, explaining; no Keras, nothing printed."""
