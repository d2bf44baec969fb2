"""Events in a simulated season: where their maps lie, what is asked of the hub, and what it finds inside."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.random import Generator

from hub import resources
from hub.calibration.chance_season import RAFTS, SURVEY, Season, SeasonHistory
from hub.calibration.shapes import map_of_banana
from hub.demo.skymap import banana_around
from hub.model.alert import AlertBatch
from hub.model.coincidence import Candidate, PairState
from hub.model.coverage import AlertStream, Coverage, Selection, SelectionKind
from hub.model.event import Event, EventState
from hub.model.instant import Instant
from hub.model.notice import EventClass, Messenger, Role
from hub.model.sky import Skymap
from hub.model.visit import DetectorVisits
from hub.science.candidates import Judgement, Question, evaluate_many
from hub.science.counterpart_policy import CounterpartPolicy, load_counterpart_policy
from hub.science.crossmatch import Target, match
from hub.science.last_looks import visits_before
from hub.science.levels import Levels2D, summary
from hub.science.light_curves import LightCurves
from hub.science.map_points import by_area
from hub.science.onset import onsets
from hub.science.rules import DAY_S, Hypothesis, Rules, load_rules
from hub.science.target_columns import TargetNumbers
from hub.services.off_counts import Asked

AREA90_DEG2 = (8.0, 60.0)
"""90 % areas, spread evenly in their logarithm; what the hub searches of them is three times as large."""

DISTANCE_MPC = (60.0, 300.0)
"""Mean distances, spread by volume."""

P_ASTRO = (0.2, 0.99)
"""Probabilities that events are real, as notices state them, evenly spread."""

N_POINTS = 400
"""Points that stand for the area of a map of some hundred square degrees."""

_FULL = Selection(kind=SelectionKind.FULL)
HEARD = Coverage(streams=(AlertStream(name="all", survey=SURVEY, selection=_FULL, since=Instant(0)),))
"""Every alert of the survey."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Rules and priors."""

    rules: Rules
    policy: CounterpartPolicy

    def hypothesis(self, name: str) -> Hypothesis:
        """Return a hypothesis of the rules by its name."""
        return next(one for one in self.rules.hypotheses if one.name == name)


@cache
def shipped_book() -> Book:
    """Return the rules and priors that the hub ships; what was searched is measured at fewer points, for the maps are small."""
    policy = load_counterpart_policy(resources.read_text("conf/counterparts.toml"))
    return Book(
        rules=load_rules(resources.read_text("conf/coincidence.toml"), resources.read_text("conf/families.toml")),
        policy=replace(policy, chance=replace(policy.chance, n_points=N_POINTS)),
    )


def merger(rng: Generator, season: Season, number: int, book: Book, *, search_d: float, first_d: float) -> Asked:
    """Return a merger in a part of the sky that is being searched, and what is asked about it so long after.

    Parameters
    ----------
    rng
        Where place, time, map and distance are drawn from.
    season
        Its nights.
    number
        Of the event.
    book
        By which rules and priors.
    search_d
        Days between the event and the question.
    first_d
        It is no earlier than so long after the begin of the season, days.
    """
    earliest, latest = season.begin.plus_s(first_d * DAY_S), season.end.plus_s(-search_d * DAY_S)
    t0 = Instant(int(rng.integers(earliest.tai_us, latest.tai_us)))
    soon = np.flatnonzero((season.mid_us > t0.tai_us) & (season.mid_us < t0.plus_s(search_d * DAY_S).tai_us))
    pointed = int(rng.choice(soon))
    skymap = _map(rng, season, pointed)
    levels = Levels2D.of(skymap)
    hypothesis = book.hypothesis("kilonova")
    p_astro = float(rng.uniform(*P_ASTRO))
    name = f"S{number:06d}"
    event = Event(
        event_id=name,
        aliases=(),
        messenger=Messenger.GW,
        mission="LVK",
        event_class=EventClass.CBC,
        role=Role.OBSERVATION,
        state=EventState.ACTIVE,
        versions=(),
        t0=t0,
        position=None,
        localization_id=name,
        far_hz=1e-9,
        p_astro=p_astro,
        classification={"BNS": p_astro, "Terrestrial": 1.0 - p_astro},
        properties={"HasRemnant": 1.0},
        is_live=True,
    )
    target = Target(event=event, hypothesis=hypothesis, t0s=(t0,), maps={name: levels})
    return Asked(
        target=target,
        question=Question(
            targets=(target,),
            numbers=(TargetNumbers.of(target),),
            summaries={name: summary(skymap, levels)},
            objects=np.empty(0, dtype=np.int64),
        ),
        skymap=skymap,
        levels=levels,
        survey=SURVEY,
        coverage=HEARD,
        t0=t0,
        begin=t0.plus_s(hypothesis.window_d[0] * DAY_S),
        end=t0.plus_s(search_d * DAY_S),
    )


def candidates_in(season: Season, history: SeasonHistory, asked: Asked, look_back_d: float) -> list[Candidate]:
    """Return the open candidates of an event, as the hub would have them of its alerts and its ledger."""
    (batch,) = history.in_region(*asked.region, asked.begin, asked.end)
    fits = match(batch, asked.target)
    names = sorted({one.decode() for one in batch.object_id[fits].tolist()})
    if not names:
        return []
    past = history.of_objects(SURVEY, names, np.empty(0, dtype=np.int64))
    return judged(visits_of(season, asked, look_back_d), past.take(past.mid_tai_us <= asked.end.tai_us), asked, look_back_d)


def visits_of(season: Season, asked: Asked, look_back_d: float) -> DetectorVisits:
    """Return the visits around the map of an event until the question, and some days before the event."""
    points = by_area(asked.skymap, asked.levels, asked.target.hypothesis.max_level, 200)
    return season.around(points, asked.begin.plus_s(-look_back_d * DAY_S), asked.end)


def judged(visits: DetectorVisits, alerts: AlertBatch, asked: Asked, look_back_d: float) -> list[Candidate]:
    """Return the open candidates that some alerts make for an event."""
    curves = LightCurves.of(alerts)
    judgement = Judgement(coverage=HEARD, onsets=onsets(curves, visits_before(visits), look_back_d))
    question = replace(asked.question, objects=np.arange(len(curves), dtype=np.int64))
    made = evaluate_many([question], curves, judgement)[0]
    return [one for one in made if one.state is PairState.OPEN and one.level is not None]


def best_first(found: Sequence[Candidate]) -> list[Candidate]:
    """Return candidates as they are shown: confirmed ones first, then by rank."""
    return sorted(found, key=lambda one: (not one.confirmed, -one.score, one.object_id))


def _map(rng: Generator, season: Season, pointed: int) -> Skymap:
    """Return a map somewhere around the middle of a visit, with a distance."""
    place = pointed * len(RAFTS) + len(RAFTS) // 2
    banana = banana_around(
        float(season.visits.ra_deg[place]),
        float(season.visits.dec_deg[place]),
        level=float(rng.uniform(0.0, 0.9)),
        turn_deg=float(rng.uniform(0.0, 360.0)),
        angle_deg=float(rng.uniform(0.0, 180.0)),
        area90_deg2=float(area := np.exp(rng.uniform(*np.log(AREA90_DEG2)))),
        length_deg=float(np.sqrt(area / (2.0 * np.pi * np.log(10.0)) * rng.uniform(1.0, 4.0))),
    )
    flat = map_of_banana(banana)
    low, high = DISTANCE_MPC
    mu = float((low**3 + rng.random() * (high**3 - low**3)) ** (1.0 / 3.0))
    sigma = mu * float(rng.uniform(0.15, 0.3))
    n = len(flat.lo)
    return Skymap(
        lo=flat.lo,
        hi=flat.hi,
        probdensity=flat.probdensity,
        distmu=np.full(n, mu),
        distsigma=np.full(n, sigma),
        distnorm=np.full(n, 1.0 / (mu**2 + sigma**2)),
    )
