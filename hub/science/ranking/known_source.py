"""What it says that a catalogue of variables or active nuclei has an entry at the object's place: that it was there before."""

import math
from collections.abc import Collection, Mapping
from typing import Any

from hub.model.catalog import CatalogKind
from hub.science.ranking.context import Term
from hub.science.ranking_priors import KnownSourcePriors

NAME = "known_source"
"""Of the term."""


def of_entries(kinds: Collection[str], priors: KnownSourcePriors) -> Term | None:
    """Return the log of the share of true counterparts at such entries over that of unrelated objects.

    Several entries are one fact: the one that says most counts. None where no catalogue has an entry there that speaks: what is
    in no catalogue is neither better nor worse for it.

    Parameters
    ----------
    kinds
        Of the catalogues that have an entry there and speak against the hypothesis.
    priors
        The shares.
    """
    if not kinds:
        return None
    found = {kind: list(priors.shares[kind]) for kind in sorted(kinds)}
    inputs: dict[str, Any] = {"entries": found, "floor": priors.floor}
    said = " and of ".join(_WORDS[kind] for kind in found)
    return Term(value=value_of(inputs), reason=f"in a catalogue of {said}, so it was there before", inputs=inputs)


def value_of(inputs: Mapping[str, Any]) -> float:
    """Return the value that a term's inputs give."""
    ratios = [math.log(of_counterparts / of_unrelated) for of_counterparts, of_unrelated in inputs["entries"].values()]
    return float(max(inputs["floor"], min(ratios)))


_WORDS: Mapping[str, str] = {CatalogKind.VARIABLE.value: "variables", CatalogKind.AGN.value: "active nuclei"}
