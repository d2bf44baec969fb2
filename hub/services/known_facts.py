"""All that is known of objects beside their alerts: catalogues, hosts, and the classes that others state."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy.orm import Session

from hub.science.candidates import Question
from hub.science.class_rules import ClassRules
from hub.science.facts import Facts, ObjectFacts
from hub.science.light_curves import LightCurves
from hub.science.ranking import classification
from hub.services.classified import classes_of
from hub.services.judging import FactSource


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownFacts:
    """A `hub.services.judging.FactSource`."""

    hosting: FactSource
    """What the catalogues say."""

    classes: ClassRules

    def __call__(self, session: Session, questions: Sequence[Question], curves: LightCurves) -> list[Facts]:
        """Return for each question what is known of its objects."""
        found = list(self.hosting(session, questions, curves))
        if not questions:
            return found
        wanted = np.unique(np.concatenate([one.objects for one in questions]))
        rows = np.searchsorted(curves.owner, wanted)
        names = [curves.names[number] for number in wanted.tolist()]
        alerts = curves.alerts
        stated = classes_of(session, alerts.survey, names, alerts.ra_deg[rows], alerts.dec_deg[rows], self.classes)
        if not stated:
            return found
        return [self._with_classes(one, known, stated, curves) for one, known in zip(questions, found, strict=True)]

    def _with_classes(
        self,
        question: Question,
        known: Facts,
        stated: dict[str, tuple[classification.StatedClass, ...]],
        curves: LightCurves,
    ) -> Facts:
        objects: dict[str, ObjectFacts] = dict(known.objects)
        for number in question.objects.tolist():
            name = curves.names[number]
            if name not in stated:
                continue
            before = known.of(name).terms_of
            terms = dict(before) | {
                target.hypothesis.name: {**before.get(target.hypothesis.name, {}), classification.NAME: term}
                for target in question.targets
                if (term := classification.of_classes(stated[name], target.hypothesis.name, self.classes)) is not None
            }
            objects[name] = replace(known.of(name), terms_of=terms)
        return replace(known, objects=objects)
