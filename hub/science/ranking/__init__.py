"""Ranking of candidates: one statistic per file, and the table of them. The rank score is their weighted sum."""

from hub.science.ranking.context import Context, Silence, Term
from hub.science.ranking.table import (
    DEFAULT,
    DIGITS,
    FORMER,
    PLUGIN,
    SHIPPED,
    STATISTICS,
    STORED_WITHOUT,
    VALUES,
    Ranking,
    Statistic,
    rank,
    ranking_of,
)

__all__ = [
    "DEFAULT",
    "DIGITS",
    "FORMER",
    "PLUGIN",
    "SHIPPED",
    "STATISTICS",
    "STORED_WITHOUT",
    "VALUES",
    "Context",
    "Ranking",
    "Silence",
    "Statistic",
    "Term",
    "rank",
    "ranking_of",
]
