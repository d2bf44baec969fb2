"""Trials: mergers in the maps of simulated events, of which some leave a counterpart among the unrelated objects."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hub.calibration.chance_cases import Case, Cases, seed_of
from hub.calibration.chance_events import Book, judged, shipped_book, visits_of
from hub.calibration.posterior_kilonovae import NAME, alerts, detections, kilonova
from hub.calibration.result import Floats, Size, Tell
from hub.model.coincidence import Candidate
from hub.model.contender import Contender
from hub.model.visit import DetectorVisits
from hub.science.detectable import depth_curve, moduli_of
from hub.science.map_points import by_prob
from hub.science.point_visits import looks
from hub.science.posterior import Densities, PriorOf, Searched, measured_densities, prior_of
from hub.services.light_curve_models import model_of

_SUBJECT = 405


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Given:
    """What the hub knows of one event, the candidates aside."""

    prior: PriorOf
    searched: Searched
    densities: Densities


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """One merger in one of the maps."""

    case: Case
    given: Given
    counterpart: Candidate | None
    """None where there is none among the candidates."""

    why_none: str
    """Which of `hub.science.posterior.PARTS` it is then; empty where there is one."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All open candidates, the counterpart the last where it is among them."""
        return self.case.inside if self.counterpart is None else (*self.case.inside, self.counterpart)


class Trials:
    """Makes trials, and keeps those that were made last."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases
        self._key: tuple[object, ...] = ()
        self._kept: tuple[Trial, ...] = ()

    def of(self, rng: Generator, size: Size, tell: Tell) -> tuple[Trial, ...]:
        """Return the trials of a seed and a size, the same for every part of a run; those of maps without background left out."""
        seed = seed_of(rng)
        key = (seed, size.off_maps, size.seasons, size.injections)
        if key != self._key:
            cases = self._cases.of(rng, size, tell)
            own, book = np.random.default_rng([seed, _SUBJECT]), shipped_book()
            self._kept = tuple(
                one for case in cases if case.background.is_sufficient for one in _trials(own, case, book, size.injections)
            )
            self._key = key
            tell(f"{len(self._kept)} trials")
        return self._kept


def _trials(rng: Generator, case: Case, book: Book, number: int) -> Iterator[Trial]:
    look_back = book.policy.chance.look_back_d
    visits = visits_of(case.season, case.asked, look_back)
    given = _given(case, visits, book)
    for _ in range(number):
        if rng.random() >= given.prior.value:
            yield Trial(case=case, given=given, counterpart=None, why_none="does_not_exist")
            continue
        source = kilonova(rng, case.asked.skymap, case.asked.t0)
        seen = detections(rng, case.season, source, case.asked)
        made = judged(visits, alerts(rng, source, seen), case.asked, look_back) if len(seen.at_us) else []
        (counterpart,) = made or (None,)
        why = ""
        if counterpart is None:
            is_searched = len(case.season.searches(source.ra_deg, source.dec_deg, case.asked.begin, case.asked.end)) > 0
            why = "not_searched" if not is_searched else "hidden_by_veto" if len(seen.at_us) else "too_faint"
        assert counterpart is None or counterpart.object_id == NAME
        yield Trial(case=case, given=given, counterpart=counterpart, why_none=why)


def _given(case: Case, visits: DetectorVisits, book: Book) -> Given:
    """Return what the hub knows, by the functions that answer for it (`hub.services.counterparts`)."""
    asked, hypothesis, event = case.asked, case.asked.target.hypothesis, case.asked.target.event
    points = by_prob(asked.skymap, asked.levels, hypothesis.max_level, book.policy.posterior.n_points)
    model = model_of(hypothesis)
    assert model is not None, "kilonovae have a family of light curves"
    since = visits.take(visits.mid_tai_us >= asked.begin.tai_us)
    curve = depth_curve(
        points,
        looks(points.ra_deg, points.dec_deg, since),
        since,
        asked.t0.tai_us,
        moduli=moduli_of(asked.skymap, points),
        magnitude=model.magnitude,
        spread_mag=model.spread_mag,
        extinction=model.extinction_at(points),
    )
    looked = curve.total_looked
    searched = Searched(share=looked, bright_enough=curve.total_detectable / looked if looked > 0.0 else 0.0)
    return Given(
        prior=prior_of(book.policy.existence(hypothesis.name), event.p_astro, event.classification, event.properties),
        searched=searched,
        densities=measured_densities(
            case.background, searched, [Contender.of(one) for one in case.inside], book.policy.posterior
        ),
    )


def areas_deg2(trials: tuple[Trial, ...]) -> Floats:
    """Return the 90 % areas of the maps of trials."""
    return np.array([one.case.asked.levels.area_of_level(0.9) for one in trials])
