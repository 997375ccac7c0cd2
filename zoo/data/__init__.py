"""Data: rows from files and tables, checked, split, balanced and kept on disk."""
