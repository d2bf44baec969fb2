"""Geometry and statistics: numbers in, numbers out."""
