"""The version of the distribution, in the one place it is written."""

VERSION = "0.1.0"
"""Version by PEP 440."""
