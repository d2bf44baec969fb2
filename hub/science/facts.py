"""What is known of objects beside their alerts: what catalogues say of their places, hosts, and terms that others computed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.model.coincidence import Score
from hub.science.ranking.context import Term

IN_CATALOGUE = "in {} catalogue"
"""The flag of an object that a catalogue of a kind has an entry for: ``in agn catalogue``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFacts:
    """What is known of one object in the light of one event."""

    flags: tuple[str, ...] = ()
    """Facts of its place, e.g. `IN_CATALOGUE` of ``agn``, ``nuclear``; recorded with its candidates, in this order."""

    has_host: bool = False
    """Whether a known host stands for it: then one detection away from the ecliptic confirms it."""

    extra_terms: Mapping[str, Term] = field(default_factory=dict)
    """Further logs of likelihood ratios that count in the rank, by name; each needs its entry in `hub.science.ranking.VALUES`."""

    terms_of: Mapping[str, Mapping[str, Term]] = field(default_factory=dict)
    """The same by hypothesis, for what says one thing of one hypothesis and another of the next."""

    extra_scores: tuple[Score, ...] = ()
    """Numbers that are shown and do not count: ``level_3d`` takes the place of the one that says that no distance is known."""


NOTHING_KNOWN = ObjectFacts()
"""Of an object that nobody knows more of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the objects of one question."""

    objects: Mapping[str, ObjectFacts] = field(default_factory=dict)
    """By object id; of those that are not named nothing is known."""

    def of(self, object_id: str) -> ObjectFacts:
        """Return what is known of an object."""
        return self.objects.get(object_id, NOTHING_KNOWN)


NO_FACTS = Facts()
"""Where nobody looked."""
