"""Facts of objects from the catalogues: flags, hosts, and what the hosts' distances say beside an event's map."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from sqlalchemy.orm import Session

from hub.model.coincidence import Score
from hub.model.sky import Localization, Skymap
from hub.science.alignment import galactic_latitude_deg
from hub.science.candidates import Question
from hub.science.facts import IN_CATALOGUE, NO_FACTS, Facts, ObjectFacts
from hub.science.healpix import Floats, Int64s, find
from hub.science.host_rules import HostRules
from hub.science.hosts import Completenesses, LineOfSight, best_distances_mpc, mean_completeness
from hub.science.levels import Levels3D
from hub.science.light_curves import LightCurves
from hub.science.ranking import distance, known_source
from hub.services.catalogued import Catalogued, Place

MAX_FACTS = 20_000
"""Objects in maps of which what was worked out is kept, some kilobytes each where there are hosts."""

MAX_TABLES = 16
"""Tables of 3D levels that are kept, a megabyte each and half a second to build."""


class Maps(Protocol):
    """Where the maps of events come from, as `hub.services.maps.MapCache`."""

    def localization(self, session: Session, localization_id: str) -> Localization:
        """Return a localization."""


class Hosting:
    """Knows of objects what the catalogues say; where none is installed nothing is asked."""

    def __init__(self, catalogued: Catalogued, rules: HostRules, maps: Maps) -> None:
        self._catalogued = catalogued
        self._rules = rules
        self._maps = maps
        self._levels: OrderedDict[str, Levels3D] = OrderedDict()
        self._facts_of: OrderedDict[tuple[str, int], ObjectFacts] = OrderedDict()
        """By map and pixel; other catalogues are another `Hosting`."""
        infos = catalogued.catalogs.infos
        self._completeness = [one.completeness for one in infos if one.completeness is not None or "galaxy" in one.kinds]

    def __call__(self, session: Session, questions: Sequence[Question], curves: LightCurves) -> list[Facts]:
        """Return for each question what is known of its objects; all places are looked up at once."""
        if not self._catalogued:
            return [NO_FACTS] * len(questions)
        if not questions:
            return []
        wanted = np.unique(np.concatenate([one.objects for one in questions]))
        alerts = curves.alerts
        # The place of its first alert stands for the object's: later ones do not move what is said and settled.
        rows = np.searchsorted(curves.owner, wanted)
        pixels, ra_deg, dec_deg = alerts.hpx29[rows], alerts.ra_deg[rows], alerts.dec_deg[rows]
        places = self._catalogued.of(pixels, ra_deg, dec_deg)
        latitude = galactic_latitude_deg(ra_deg, dec_deg)
        found = []
        for question in questions:
            at = np.searchsorted(wanted, question.objects)
            lines = self._lines(session, question, pixels[at])
            objects = {
                curves.names[number]: _with_entries(
                    self._facts(session, question, places[index], line, float(latitude[index]), int(pixels[index])), question
                )
                for number, index, line in zip(question.objects.tolist(), at.tolist(), lines, strict=True)
            }
            found.append(Facts(objects=objects))
        return found

    def _lines(self, session: Session, question: Question, pixels: Int64s) -> list[LineOfSight | None]:
        """Return the distance of the event's current map at each pixel, None where it gives none."""
        current = question.targets[0].event.localization_id
        summary = question.summaries.get(current) if current is not None else None
        if current is None or summary is None or summary.dist_mean_mpc is None:
            return [None] * len(pixels)
        return lines_at(self._maps.localization(session, current).skymap, pixels)

    def _facts(  # noqa: PLR0917 - all of one object
        self, session: Session, question: Question, place: Place, line: LineOfSight | None, latitude_deg: float, pixel: int
    ) -> ObjectFacts:
        known = ObjectFacts(flags=place.flags, has_host=place.has_host)
        current = question.targets[0].event.localization_id
        if line is None or current is None:
            return replace(known, extra_scores=(_silent(place),)) if place.hosts else known
        key = current, pixel
        if key not in self._facts_of:
            completeness = None
            if place.hosts:
                completeness = mean_completeness(line, Completenesses(self._completeness, latitude_deg, self._rules))
            term = distance.of_hosts(place.hosts, line, completeness, self._rules)
            level = self._level(session, current, term.inputs, pixel)
            scores = (level,) if level is not None else ()
            self._facts_of[key] = replace(known, extra_terms={distance.NAME: term}, extra_scores=scores)
            while len(self._facts_of) > MAX_FACTS:
                self._facts_of.popitem(last=False)
        self._facts_of.move_to_end(key)
        return self._facts_of[key]

    def _level(self, session: Session, localization_id: str, inputs: Mapping[str, Any], pixel: int) -> Score | None:
        """Return the 3D level at the best distance, with its range between the 5 and the 95 % point of that distance."""
        best = best_distances_mpc(inputs)
        if best is None:
            return None
        at, points = best
        levels = self._table(session, localization_id).lookup(np.full(len(points) + 1, pixel), [at, *points]).searched_prob_vol
        said = levels.tolist()
        return Score(
            statistic="level_3d",
            version=2,
            value=said[0],
            unit="1",
            inputs={
                "distance_mpc": at,
                "distance_5_mpc": points[0],
                "distance_95_mpc": points[-1],
                "least": min(said),
                "largest": max(said),
                "hpx29": pixel,
            },
        )

    def _table(self, session: Session, localization_id: str) -> Levels3D:
        if localization_id not in self._levels:
            self._levels[localization_id] = Levels3D.of(self._maps.localization(session, localization_id).skymap)
            while len(self._levels) > MAX_TABLES:
                self._levels.popitem(last=False)
        self._levels.move_to_end(localization_id)
        return self._levels[localization_id]


def _with_entries(known: ObjectFacts, question: Question) -> ObjectFacts:
    """Add what entries of its place say against each hypothesis that names their kind."""
    if not known.flags:
        return known
    terms = {}
    for hypothesis in [target.hypothesis for target in question.targets]:
        kinds = [kind for kind in hypothesis.unrelated_catalogues if IN_CATALOGUE.format(kind) in known.flags]
        term = known_source.of_entries(kinds, hypothesis.priors.known_source)
        if term is not None:
            terms[hypothesis.name] = {known_source.NAME: term}
    return replace(known, terms_of=terms) if terms else known


def _silent(place: Place) -> Score:
    """Return the hosts of an object whose event has no distance there."""
    return Score(
        statistic=distance.NAME,
        version=distance.VERSION,
        value=None,
        unit="1",
        inputs={"reason": "the event's map gives no distance there", "hosts": distance.listed(place.hosts)},
    )


def lines_at(skymap: Skymap, pixels: Int64s) -> list[LineOfSight | None]:
    """Return what a map says of the distance at order-29 pixels; None where it says nothing."""
    if skymap.distmu is None or skymap.distsigma is None or skymap.distnorm is None:
        return [None] * len(pixels)
    index = find(skymap.lo, skymap.hi, pixels)
    columns: Floats = np.stack([skymap.distmu[index], skymap.distsigma[index], skymap.distnorm[index]], axis=1)
    good = (index >= 0) & np.isfinite(columns).all(axis=1) & (columns[:, 1] > 0.0) & (columns[:, 2] > 0.0)
    return [
        LineOfSight(distmu=mu, distsigma=sigma, distnorm=norm) if is_good else None
        for (mu, sigma, norm), is_good in zip(columns.tolist(), good.tolist(), strict=True)
    ]
