"""What spectra and brokers say of an object: their classes promote or demote it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.science.class_rules import ClassRules
from hub.science.ranking.context import Term

NAME = "classification"
"""Of the term."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class StatedClass:
    """One statement."""

    source: str
    """``TNS``, a broker's name."""

    name: str
    """The class in the words of the source."""

    version: str
    stated_at: str
    """UTC; empty where the source does not tell."""

    probability: float
    """As stated, else 1."""


def of_classes(stated: Sequence[StatedClass], hypothesis: str, rules: ClassRules) -> Term | None:
    """Return the log of a likelihood ratio; None where no statement says anything of the hypothesis.

    The strongest statement counts alone, of equal ones the one against the object: brokers saw the same light curve, and their
    classes are no independent evidence. A spectrum outweighs all of them by its weight.
    """
    effects = rules.effects_on(hypothesis)
    said = [
        {
            "source": one.source,
            "class": one.name,
            "version": one.version,
            "stated_at": one.stated_at,
            "probability": one.probability,
            "weight": rules.weight_of(one.source),
            "group": group,
            "effect": effects[group],
        }
        for one in sorted(stated)
        if (group := rules.group_of(one.source, one.name)) in effects and group is not None
    ]
    if not said:
        return None
    inputs: dict[str, Any] = {"statements": said, "range": list(rules.range)}
    strongest = _strongest(inputs)
    value = value_of(inputs)
    verb = "promotes" if value > 0.0 else "demotes"
    when = f" on {strongest['stated_at'][:10]}" if strongest["stated_at"] else ""
    reason = f"{strongest['source']} says {strongest['class']}{when}, which {verb} it"
    return Term(value=value, reason=reason, inputs=inputs)


def value_of(inputs: Mapping[str, Any]) -> float:
    """Return the value that a term's inputs give."""
    low, high = inputs["range"]
    return float(min(high, max(low, _value(_strongest(inputs)))))


def _strongest(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    statements: Sequence[Mapping[str, Any]] = inputs["statements"]
    heaviest = max(one["weight"] for one in statements)
    return max((one for one in statements if one["weight"] == heaviest), key=lambda one: (abs(_value(one)), -_value(one)))


def _value(one: Mapping[str, Any]) -> float:
    return float(one["weight"] * one["probability"] * one["effect"])
