"""Texts without labels: their lines, parts and token ids, for whatever learns from them."""
