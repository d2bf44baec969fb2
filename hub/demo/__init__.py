"""A synthetic night in true wire formats."""
