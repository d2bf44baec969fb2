"""Adapters turn bytes into words and words into bytes."""
