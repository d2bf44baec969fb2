"""Ranking of candidates: one statistic per file, and the table of them. The rank score is their sum."""

from hub.science.ranking.context import Context, Term
from hub.science.ranking.table import DIGITS, STATISTICS, VALUES, rank

__all__ = ["DIGITS", "STATISTICS", "VALUES", "Context", "Term", "rank"]
