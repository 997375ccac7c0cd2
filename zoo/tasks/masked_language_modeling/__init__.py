"""Masked language modelling: a Transformer encoder that learns from texts without labels."""
