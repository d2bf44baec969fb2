"""The past of objects out of the archive: their own alerts, and those of other objects that are the same transient."""

from collections.abc import Collection

import numpy as np

from hub.ports import AlertHistory, FindsNeighbours
from hub.science.kin import united
from hub.science.light_curves import LightCurves
from hub.services.matching import ObjectKey


def past_of(history: AlertHistory, keys: Collection[ObjectKey]) -> dict[str, LightCurves]:
    """Return the archived alerts of some objects, by survey; objects that have none are left out.

    One search of the archive for each survey, however many objects there are. A history that knows no neighbours gives the
    objects' own alerts alone.
    """
    by_survey: dict[str, list[ObjectKey]] = {}
    for key in sorted(keys):
        by_survey.setdefault(key.survey, []).append(key)
    found = {}
    for survey, of_survey in by_survey.items():
        names = [key.object_id for key in of_survey]
        pixels = np.array([key.hpx29 for key in of_survey], dtype=np.int64)
        if isinstance(history, FindsNeighbours):
            found[survey] = united(survey, names, history.with_neighbours(survey, names, pixels))
        else:
            found[survey] = LightCurves.of(history.of_objects(survey, names, pixels))
    return found
