"""What becomes of an injected merger: where its counterpart is lost, or which rank the hub gives it among everything else.

Nothing here judges: candidates are those of `hub.science.candidates.evaluate_many`, with the onsets of `hub.science.onset` and
the rules that the hub ships.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from hub.calibration.injections_light import TIMES_D
from hub.calibration.injections_mergers import CLASSIFICATION, Merger
from hub.calibration.nights import SURVEY, Background, Nights
from hub.calibration.nights_kernels import NO_TEMPLATE, SEARCHED
from hub.calibration.result import Floats
from hub.demo.published import flux_njy
from hub.demo.survey.chance import state_of
from hub.demo.survey.light_curves import COUNTERPART
from hub.demo.survey.packets import reliability_of
from hub.demo.survey.settings import BANDS
from hub.demo.survey.world import DETECTION_SNR, SEEING_DEG
from hub.model.coincidence import Candidate, PairState
from hub.model.event import Event, StoredNotice, assemble
from hub.model.instant import Instant
from hub.model.notice import EventClass, Messenger, Notice, Role, Stage
from hub.model.sky import Localization, LocalizationSource, Skymap
from hub.science.candidates import Judgement, Question, evaluate_many
from hub.science.crossmatch import targets_of
from hub.science.families import Dust
from hub.science.healpix import Int64s, find, pixels29
from hub.science.hypotheses import Activity, Hypothesis
from hub.science.latitudes import galactic_latitude_deg
from hub.science.levels import Levels2D, summary
from hub.science.light_curves import LightCurves
from hub.science.onset import onsets
from hub.science.place_levels import PlaceLevels
from hub.science.ranking import known_source
from hub.science.ranking.sky import DEG2_PER_SR
from hub.science.ranking.table import DIGITS, SHIPPED
from hub.science.rules import Rules
from hub.science.target_columns import TargetNumbers
from hub.services.catalogued import Catalogued
from hub.services.hosting import Hosting
from hub.services.judging import FactSource, knows_nothing

SEARCH_D = 7.0
"""When ranks are looked at, days after the merger: what was detected later is not there yet."""

SAMPLED = 10
"""In wide maps one in so many of the objects that cannot be ranked before the counterpart is judged, and stands for so many."""

WIDE_DEG2 = 200.0
"""Maps of larger areas are wide."""

TERMS = (*(one.name for one in SHIPPED), known_source.NAME)
"""Statistics that are compared between the counterpart and what is ranked before it."""

OURS = 1
"""Object id of the counterpart; those of other objects are larger."""


class Fate(StrEnum):
    """Where an injection ends, in the order in which it is asked."""

    OUTSIDE = "outside the footprint"
    NO_TEMPLATE = "no template"
    NOT_VISITED = "not visited in time"
    TOO_FAINT = "too faint"
    MISSED = "missed by the pipeline"
    ONE_DETECTION = "one detection only"
    MAP_TOO_LARGE = "map too large to be searched"
    VETOED = "vetoed"
    BEYOND_TEN = "ranked > 10"
    FOUR_TO_TEN = "ranked 4-10"
    BEST_THREE = "ranked 1-3"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What a survey's visits make of a counterpart."""

    rows: Background
    """Its detections within `SEARCH_D`, in order of time; may be none."""

    lost: Fate | None
    """Why it is no candidate that could be confirmed; None where it may be one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What the hub says in the end."""

    merger: Merger
    fate: Fate
    has_two: bool
    """Whether it was detected twice, so far apart that an asteroid moves."""

    rank: int | None = None
    """Among the confirmed candidates by score."""

    rank_by_density: float | None = None
    """The same by the map's density alone; the mean of equals."""

    rank_by_time: float | None = None
    """The same by the time of the onset alone."""

    n_candidates: int = 0
    """Confirmed candidates of the event."""

    why: tuple[str, ...] = ()
    """Reasons and scores of the counterpart's candidate."""

    ahead: tuple[int, ...] = ()
    """Kinds of those that are ranked before it (`hub.demo.survey.light_curves`)."""

    lifted_by: Mapping[str, float] = field(default_factory=dict)
    """By how much each term of these is larger than the counterpart's, the mean over them; a silent term counts as 0."""

    bare: "Outcome | None" = None
    """The same where no catalogue is installed; None where that is the same."""

    @property
    def without_catalogues(self) -> "Outcome":
        """What the hub says where no catalogue is installed."""
        return self.bare if self.bare is not None else self


def counterpart(sky: Nights, merger: Merger, event: int, dust: Dust, confirm_gap_s: float) -> Found:
    """Return what the visits find of a merger's light, with the noise, losses and errors of the simulation."""
    looks = sky.looks(merger.ra_deg, merger.dec_deg, event)
    rng = np.random.default_rng((*merger.state, 8 if event == SURVEY else 9))
    visits = sky.visits
    extinction = _extinction(merger, dust)
    age = visits.mjd[looks.visit] - merger.t0_mjd
    band = visits.band[looks.visit]
    true = merger.light.at(age, band, merger.distance_mpc) * extinction[band]
    error = np.hypot(visits.error[looks.visit], 0.01 * true)
    timely = (age > 0.0) & (age <= SEARCH_D)
    flux = true + error * rng.normal(size=len(true))
    kept = rng.random(len(true)) < sky.world.efficiency
    is_bright = timely & (true >= DETECTION_SNR * error)
    is_seen = timely & (looks.what == SEARCHED) & (flux >= DETECTION_SNR * error)
    rows = _detections(merger, looks.visit[is_seen & kept], flux[is_seen & kept], error[is_seen & kept], rng)
    lost = None
    if len(rows):
        good = rows.reliability >= 0.5
        times = visits.mjd[rows.visit[good]]
        if len(times) < 2 or (times[-1] - times[0]) * 86_400.0 < confirm_gap_s:
            lost = Fate.ONE_DETECTION
    elif not len(looks.visit):
        lost = Fate.OUTSIDE
    elif (is_seen | (is_bright & (looks.what == SEARCHED))).any():
        lost = Fate.MISSED
    elif (is_bright & (looks.what == NO_TEMPLATE)).any():
        lost = Fate.NO_TEMPLATE
    else:
        lost = Fate.NOT_VISITED if _is_ever_bright(sky, merger, extinction) else Fate.TOO_FAINT
    return Found(rows=rows, lost=lost)


def _is_ever_bright(sky: Nights, merger: Merger, extinction: Floats) -> bool:
    """Tell whether a visit of ordinary depth would have detected it at any time in any band."""
    times = TIMES_D[(TIMES_D > 0.0) & (TIMES_D <= SEARCH_D)]
    depth = sky.simulation.survey.depth_ab
    return any(
        bool((merger.light.at(times, np.full(len(times), n), merger.distance_mpc) * extinction[n] >= flux_njy(depth[name])).any())
        for n, name in enumerate(BANDS)
    )


def _extinction(merger: Merger, dust: Dust) -> Floats:
    """Return what the Galaxy's dust leaves of the light, by band."""
    b = float(galactic_latitude_deg(np.array([merger.ra_deg]), np.array([merger.dec_deg]))[0])
    return np.array([10.0 ** (-0.4 * dust.mag(name, dust.ebv(b))) for name in BANDS])


def _detections(merger: Merger, visit: Int64s, flux: Floats, error: Floats, rng: np.random.Generator) -> Background:
    snr = flux / error
    blur = rng.normal(size=(2, len(visit))) * SEEING_DEG / snr
    dec = merger.dec_deg + blur[0]
    ra = (merger.ra_deg + blur[1] / np.cos(np.radians(dec))) % 360.0
    reliability = [
        reliability_of(COUNTERPART, state_of(*merger.state, int(one)), float(value))
        for one, value in zip(visit, snr, strict=True)
    ]
    return Background(
        object=np.full(len(visit), OURS, dtype=np.int64),
        visit=visit,
        kind=np.full(len(visit), COUNTERPART, dtype=np.int64),
        ra_deg=ra,
        dec_deg=dec,
        flux_njy=flux,
        flux_err_njy=error,
        reliability=np.array(reliability, dtype=np.float64),
        hpx29=pixels29(ra, dec),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """What the hub makes of the objects in the map of one merger."""

    candidates: Sequence[Candidate]
    kinds: Mapping[str, int]
    """By object id, as in `hub.demo.survey.light_curves`."""

    shares: Mapping[str, int]
    """How many objects one stands for, where that is more than itself."""


class Search:
    """Searches the nights of one world for counterparts.

    Parameters
    ----------
    sky
        The nights.
    background
        What they detect.
    rules
        Under test.
    catalogued
        The catalogues that are installed; None where there are none.
    """

    def __init__(self, sky: Nights, background: Background, rules: Rules, catalogued: Catalogued | None = None) -> None:
        mjd = sky.visits.mjd[background.visit]
        order = np.lexsort((mjd, background.object))
        self.sky, self.rules, self._catalogued = sky, rules, catalogued
        self._rows = background.take(order)
        self._mjd = mjd[order]
        self._tag = sky.tag[self._rows.visit]

    def candidates(
        self,
        merger: Merger,
        event: int,
        own: Background,
        skymap: Skymap,
        *,
        only_confirmed: bool = True,
        only_ahead: bool = False,
    ) -> Candidates:
        """Return all candidates of a merger as they stand at the end of the search.

        Parameters
        ----------
        merger
            The event.
        event
            Whose visits count beside the survey's; `SURVEY` for none.
        own
            Detections of its counterpart; may be none.
        skymap
            Its map.
        only_confirmed
            Leave objects out that could not be confirmed: they are ranked apart, so no rank depends on them.
        only_ahead
            Where the counterpart is a candidate, take one in `SAMPLED` only of the objects that could not be ranked before it.
        """
        levels = Levels2D.of(skymap)
        question = _question(merger, skymap, levels, self.rules)
        if question is None:
            return Candidates(candidates=[], kinds={}, shares={})
        rows = self._near(merger, event, question.targets[0].maps["map"], only_confirmed=only_confirmed)
        facts = self._facts_of(skymap)
        made, kinds = self._judged(question, own, event, facts)
        shares: dict[str, int] = {}
        ours = max((one.score for one in made if one.state is PairState.OPEN and one.confirmed), default=None)
        if only_ahead and ours is not None:
            kept = self._could_beat(question, rows, ours)
            sampled = ~kept & (self._rows.object[rows] % SAMPLED == 0)
            shares = dict.fromkeys(map(str, np.unique(self._rows.object[rows[sampled]]).tolist()), SAMPLED)
            rows = rows[kept | sampled]
        more, of_others = self._judged(question, self._rows.take(rows), event, facts)
        return Candidates(candidates=made + more, kinds=kinds | of_others, shares=shares)

    def _facts_of(self, skymap: Skymap) -> FactSource:
        """Return who knows what the catalogues say of objects beside a map, as a running hub has it."""
        if self._catalogued is None:
            return knows_nothing
        return Hosting(self._catalogued, self._catalogued.rules, _OneMap(skymap))

    def _judged(
        self, question: Question, rows: Background, event: int, facts: FactSource
    ) -> tuple[list[Candidate], dict[str, int]]:
        """Return the candidates that some detections make, and the kinds of their objects."""
        if not len(rows):
            return [], {}
        rows = rows.take(np.lexsort((self.sky.visits.mjd[rows.visit], rows.object)))
        first, count = _past(rows.object, self.sky.mid_us(rows.visit))
        curves = LightCurves.of(self.sky.alerts(rows, first, count))
        judgement = Judgement(
            onsets=onsets(curves, self.sky.visits_before(event), self.rules.look_back_d), confirmation=self.rules.confirmation
        )
        asked = Question(
            targets=question.targets,
            numbers=question.numbers,
            summaries=question.summaries,
            objects=np.arange(len(curves), dtype=np.int64),
        )
        (known,) = facts(Session(), [asked], curves)  # no database is asked: the map is at hand
        asked = replace(asked, facts=known)
        kinds = {str(name): kind for name, kind in zip(rows.object.tolist(), rows.kind.tolist(), strict=True)}
        return evaluate_many([asked], curves, judgement)[0], kinds

    def _could_beat(self, question: Question, rows: Int64s, score: float) -> NDArray[np.bool_]:
        """Tell for rows whether their objects could have a larger score: what place and detections allow at most.

        Of the terms ``sky`` and ``reality`` what they are, of the others the most that they can be; one that has no bound here
        keeps every object.
        """
        names = self._rows.object[rows]
        begins = np.flatnonzero(np.concatenate(([True], names[1:] != names[:-1]))) if len(names) else np.zeros(0, dtype=np.int64)
        number = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(names))))
        levels = question.targets[0].maps["map"]
        density = levels.probdensity[find(levels.lo, levels.hi, self._rows.hpx29[rows])]
        best_density, best_reality, best_snr = (np.zeros(len(begins)) for _ in range(3))
        np.maximum.at(best_density, number, density)
        np.maximum.at(best_reality, number, np.clip(self._rows.reliability[rows], 0.01, 0.99))
        np.maximum.at(best_snr, number, self._rows.flux_njy[rows] / self._rows.flux_err_njy[rows])
        bands = np.zeros(len(begins), dtype=np.int64)
        np.bitwise_or.at(bands, number, 1 << self.sky.visits.band[self._rows.visit[rows]])
        low, high = self._mjd[rows][begins], self._mjd[rows][np.append(begins[1:], len(names)) - 1] if len(names) else np.zeros(0)
        least = np.full(len(begins), np.inf)
        for target in question.targets:
            bound = _most(target.hypothesis, spans_days=high - low, best_snr=best_snr, is_coloured=bands & (bands - 1) > 0)
            with np.errstate(divide="ignore"):
                terms = np.log(best_density / (target.hypothesis.background_per_deg2 * DEG2_PER_SR)) + bound
            terms += 0.5 * np.log(best_reality / (1.0 - best_reality))
            least = np.minimum(least, score - terms)
        return np.asarray((least < 1e-6)[number])

    def _near(self, merger: Merger, event: int, levels: Levels2D | PlaceLevels, *, only_confirmed: bool) -> Int64s:
        """Return the rows of the objects that began after the merger, inside its map."""
        in_time = (self._mjd <= merger.t0_mjd + SEARCH_D) & ((self._tag == SURVEY) | (self._tag == event))
        index = np.flatnonzero(in_time)
        names = self._rows.object[index]
        is_first = np.concatenate(([True], names[1:] != names[:-1])) if len(names) else np.zeros(0, dtype=np.bool_)
        number = np.cumsum(is_first) - 1
        keep = (self._mjd[index[is_first]] >= merger.t0_mjd)[number]
        index, number = index[keep], number[keep]
        place = find(levels.lo, levels.hi, self._rows.hpx29[index])
        inside = (place >= 0) & (levels.searched_prob[place] < 1.0 - 1e-6)
        index, number = index[inside], number[inside]
        if not only_confirmed or not len(index):
            return np.asarray(index)
        good = (self._rows.flux_njy[index] > 0.0) & (self._rows.reliability[index] >= 0.5)
        low, high = np.full(number[-1] + 1, np.inf), np.full(number[-1] + 1, -np.inf)
        np.minimum.at(low, number[good], self._mjd[index[good]])
        np.maximum.at(high, number[good], self._mjd[index[good]])
        with np.errstate(invalid="ignore"):
            wide = (high - low) * 86_400.0 >= self.rules.confirmation.gap_s - 1e-3
        return np.asarray(index[wide[number]])


def _most(hypothesis: Hypothesis, *, spans_days: Floats, best_snr: Floats, is_coloured: NDArray[np.bool_]) -> Floats:
    """Return the most that the terms beside ``sky`` and ``reality`` can add to the scores of objects.

    Parameters
    ----------
    hypothesis
        Under which they are judged.
    spans_days
        From the first to the last detection of each.
    best_snr
        Largest signal to noise.
    is_coloured
        Whether it was detected in several bands.
    """
    low, high = hypothesis.appearance_d
    scale = hypothesis.typical_delay_d
    # The density of onsets is largest at t0 itself; `_share` of hub.science.ranking.timing falls off by the scale on both sides.
    timing_most = 0.0
    if scale is not None:
        timing_most = max(0.0, math.log((high - low) / scale / (1.0 - math.exp(-max(high, 1e-9) / scale))))
    if hypothesis.activity is not Activity.NEW:
        return np.full(len(spans_days), np.inf)
    family = hypothesis.light_curve
    priors = hypothesis.priors
    luminosity_most, colour_most = np.zeros(len(best_snr)), np.zeros(len(best_snr))
    if family is not None:
        of_family = -math.log(family.spread_mag * math.sqrt(2.0 * math.pi))
        slope = priors.luminosity.counts_slope * math.log(10.0)
        above = 2.5 * np.log10(np.maximum(best_snr / priors.luminosity.limit_sigma, 1.0))
        luminosity_most = np.clip(of_family - math.log(slope) + slope * above, -priors.luminosity.cap, priors.luminosity.cap)
        if family.spread_colour_mag is not None and hypothesis.fixes_age:
            colour_most = np.where(is_coloured, priors.colour.cap, 0.0)
    fades = (spans_days >= priors.fading.min_baseline_d) & (family is not None) & hypothesis.fixes_age
    return timing_most + luminosity_most + colour_most + np.where(fades, priors.fading.cap, 0.0)


def outcome(search: Search, merger: Merger, event: int, found: Found) -> Outcome:
    """Return what the hub makes of a merger whose counterpart was found so."""
    if found.lost is not None:
        return Outcome(merger=merger, fate=found.lost, has_two=False)
    made = search.candidates(merger, event, found.rows, merger.skymap(), only_ahead=merger.area90_deg2 > WIDE_DEG2)
    return judged(merger, made, max_area_deg2=max(map(search.rules.max_area_of, search.rules.hypotheses_for((EventClass.CBC,)))))


def judged(merger: Merger, made: Candidates, *, max_area_deg2: float) -> Outcome:
    """Return where a counterpart that was detected twice stands among the candidates, and where without catalogues."""
    found = _standing(merger, made, max_area_deg2)
    bare = [_bare(one) for one in made.candidates]
    if all(one is other for one, other in zip(bare, made.candidates, strict=True)):
        return found
    return replace(found, bare=_standing(merger, replace(made, candidates=bare), max_area_deg2))


def _bare(one: Candidate) -> Candidate:
    """Return a candidate without what catalogues say of its place: as it is where there is nothing."""
    said = [score for score in one.scores if score.statistic == known_source.NAME and score.value is not None]
    if not said:
        return one
    kept = tuple(score for score in one.scores if score.statistic != known_source.NAME)
    return replace(one, score=round(one.score - sum(score.value or 0.0 for score in said), DIGITS), scores=kept)


def _standing(merger: Merger, made: Candidates, max_area_deg2: float) -> Outcome:
    of_name: dict[str, Candidate] = {}
    for one in made.candidates:
        if one.state is PairState.OPEN and one.confirmed:
            known = of_name.get(one.object_id)
            if known is None or one.score > known.score:
                of_name[one.object_id] = one
    ours = of_name.pop(str(OURS), None)
    shares = np.array([made.shares.get(name, 1) for name in of_name], dtype=np.float64)
    if ours is None:
        fate = Fate.MAP_TOO_LARGE if merger.area90_deg2 > max_area_deg2 else Fate.VETOED
        said = tuple(
            f"{one.hypothesis}: {one.state}, {', '.join(one.reasons)}; {', '.join(one.flags)}"
            for one in made.candidates
            if one.object_id == str(OURS)
        )
        return Outcome(merger=merger, fate=fate, has_two=True, n_candidates=round(shares.sum()), why=said)
    before = [one for one in of_name.values() if one.score > ours.score]
    rank = 1 + len(before)
    fate = Fate.BEST_THREE if rank <= 3 else Fate.FOUR_TO_TEN if rank <= 10 else Fate.BEYOND_TEN
    return Outcome(
        merger=merger,
        fate=fate,
        has_two=True,
        rank=rank,
        rank_by_density=_rank_by("sky", ours, of_name, shares),
        rank_by_time=_rank_by("timing", ours, of_name, shares),
        n_candidates=1 + round(shares.sum()),
        why=ours.reasons,
        ahead=tuple(made.kinds[one.object_id] for one in before),
        lifted_by={name: float(np.mean([_value(one, name) - _value(ours, name) for one in before])) for name in TERMS}
        if before
        else {},
    )


class _OneMap:
    """The map of one merger, whichever is asked for."""

    def __init__(self, skymap: Skymap) -> None:
        self._skymap = skymap

    def localization(self, session: Session, localization_id: str) -> Localization:
        """Return it."""
        levels = Levels2D.of(self._skymap)
        return Localization(
            localization_id=localization_id,
            source=LocalizationSource.SKYMAP,
            skymap=self._skymap,
            summary=summary(self._skymap, levels),
        )


def _rank_by(statistic: str, ours: Candidate, others: Mapping[str, Candidate], shares: Floats) -> float:
    own = _value(ours, statistic)
    values = np.array([_value(one, statistic) for one in others.values()])
    return 1.0 + float(shares[values > own].sum()) + 0.5 * float(shares[values == own].sum())


def _value(one: Candidate, statistic: str) -> float:
    return next((score.value or 0.0 for score in one.scores if score.statistic == statistic), 0.0)


def _past(name: Int64s, mid_us: Int64s) -> tuple[Int64s, Int64s]:
    """Return of detections, by object and time, when the object was first detected and how often before."""
    begins = np.flatnonzero(np.concatenate(([True], name[1:] != name[:-1])))
    number = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(name))))
    return mid_us[begins][number], np.arange(len(name)) - begins[number]


def _question(merger: Merger, skymap: Skymap, levels: Levels2D, rules: Rules) -> Question | None:
    """Return what the hub would ask about a merger, of no objects yet."""
    event = event_of(merger)
    about = summary(skymap, levels)
    hypotheses = [one for one in rules.hypotheses_for((EventClass.CBC,)) if about.area90_deg2 <= rules.max_area_of(one)]
    targets = targets_of(event, hypotheses, {"map": PlaceLevels.of(levels)})
    if not targets:
        return None
    return Question(
        targets=targets,
        numbers=[TargetNumbers.of(one) for one in targets],
        summaries={"map": about},
        objects=np.zeros(0, dtype=np.int64),
    )


def event_of(merger: Merger) -> Event:
    """Return the event that the hub knows of a merger, with its map under the id ``map``."""
    t0 = Instant.from_mjd_tai(merger.t0_mjd)
    notice = Notice(
        identity=f"merger-{merger.number}",
        format="simulated",
        ivorn=None,
        stream="simulated",
        mission="LVK",
        instrument=None,
        messenger=Messenger.GW,
        role=Role.OBSERVATION,
        stage=Stage.INITIAL,
        event_class=EventClass.CBC,
        event_key=f"merger-{merger.number}",
        t0=t0,
        far_hz=1e-9,
        classification=dict(CLASSIFICATION),
        is_live=True,
    )
    stored = StoredNotice(
        notice_id=notice.identity,
        notice=notice,
        received_at=t0,
        is_trusted=True,
        digest=notice.identity,
        localization_id="map",
    )
    return assemble(notice.identity, [stored])
