"""Mergers with light curves put into simulated Rubin nights: where counterparts are lost, and which rank the others get."""

import math
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from hub.calibration import known_sources
from hub.calibration.injections_mergers import CLASSES, TOO_AREA_DEG2, Merger, drawn, too_visits, weights
from hub.calibration.injections_search import SEARCH_D, Fate, Outcome, Search, counterpart, outcome
from hub.calibration.known_rules import KnownRules
from hub.calibration.known_sources import shipped
from hub.calibration.nights import SURVEY, Background, Nights, nights, with_events
from hub.calibration.result import Check, Curve, Figure, Floats, Result, Size, Table, Tell, joined
from hub.calibration.subject import Subject
from hub.demo.survey.light_curves import (
    ACTIVE_GALAXY,
    ARTEFACT,
    BAD_SITE,
    GHOST,
    KIND_NAMES,
    SUPERNOVA,
    VARIABLE_STAR,
)

EVENT_NIGHTS = 8
"""Nights in which mergers happen; all share the visits and the unrelated objects."""

PROMISED = (0.9, 0.7, 0.4)
"""Share of the counterparts with two detections that is ranked 1 to 3, by `CLASSES`."""

MOST_VETOED = 0.02
"""Share of those that vetoes and cuts may take out."""

MOST_LOST = 40
"""So many of the counterparts that are lost in small maps are listed one by one."""

FEW = 30
"""Of fewer than this the upper end of the interval is compared with what is promised, not the share."""

_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Injections:
    """The part `injections`."""

    subject: Subject
    known: KnownRules = field(default_factory=shipped)
    """Which catalogues the hub has."""

    name: str = "injections"
    title: str = "Injected mergers"

    def run(self, rng: Generator, size: Size, tell: Tell) -> Result:
        """Draw mergers and nights, search for each counterpart, and count where they end."""
        tell("nights")
        seed = int(rng.integers(1, 2**31))
        sky = nights(seed, n_watch=EVENT_NIGHTS + int(SEARCH_D))
        tell("mergers")
        begin = sky.watch_mjd + 0.3
        mergers = drawn(rng, seed, size.mergers, begin, begin + EVENT_NIGHTS, size.largest_deg2)
        surveyed, pointed = outcomes(self.subject, sky, seed, mergers, self.known, tell)
        return joined([_told("survey", surveyed), _told("target of opportunity", pointed), Result(checks=(), notes=(_NOTE,))])


def outcomes(  # noqa: PLR0917 - the hub, and all of a world
    subject: Subject, sky: Nights, seed: int, mergers: Sequence[Merger], known: KnownRules, tell: Tell
) -> tuple[list[Outcome], list[Outcome]]:
    """Return what becomes of mergers by the survey alone, and of those that are targets by the visits for them as well.

    Each is told as it is in a hub with catalogues; `Outcome.without_catalogues` is the same in one with none.
    """
    tell("visits of targets of opportunity")
    planned = [(one.number, visits) for one in mergers if (visits := too_visits(one, sky)) is not None]
    sky = with_events(sky, seed, planned)
    dust, gap_s = subject.dust, subject.rules.confirmation.gap_s
    tell("light curves")
    targets = [one for one in mergers if one.area90_deg2 <= TOO_AREA_DEG2]
    asked = [(one, SURVEY) for one in mergers] + [(one, one.number) for one in targets]
    found = [(one, event, counterpart(sky, one, event, dust, gap_s)) for one, event in asked]
    wanted = np.zeros(int(sky.survey.offset[-1]), dtype=np.bool_)
    for one, _, seen in found:
        if seen.lost is None:
            wanted |= sky.tiles_in(one.skymap())
    tell("unrelated objects")
    background = Background.of(list(sky.background(wanted)))
    tell("catalogues")
    asked_of = known_sources.worth_asking(background, sky.visits.mjd[background.visit], gap_s)
    near = known_sources.beside(sky, [one for one, _, seen in found if seen.lost is None])
    entries = known_sources.entries(sky, seed, np.concatenate([asked_of, near]), known)
    with ExitStack() as stack:
        search = Search(sky, background, subject.rules, known_sources.opened(entries, stack))
        made = []
        for number, (one, event, seen) in enumerate(found):
            if number % 20 == 0:
                tell(f"search {number} of {len(found)}")
            made.append(outcome(search, one, event, seen))
    return made[: len(mergers)], made[len(mergers) :]


def binomial(k: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927, JASA 22, 209)."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = k / n, _Z * _Z / n
    middle = (share + z2 / 2.0) / (1.0 + z2)
    half = _Z * math.sqrt(share * (1.0 - share) / n + z2 / (4.0 * n)) / (1.0 + z2)
    return max(0.0, middle - half), min(1.0, middle + half)


def _told(cadence: str, outcomes: Sequence[Outcome]) -> Result:
    twice = [one for one in outcomes if one.has_two]
    bare = [one.without_catalogues for one in outcomes]
    bare_twice = [one.without_catalogues for one in twice]
    return Result(
        checks=(
            _adds_up(cadence, outcomes),
            _vetoed(cadence, twice),
            *(_ranked(cadence, number, twice) for number in range(len(CLASSES))),
            *_better(cadence, twice),
        ),
        tables=(
            _budget(f"{cadence}, with catalogues", outcomes),
            _budget(f"{cadence}, without catalogues", bare),
            _ranks(cadence, twice),
            _ahead(f"{cadence}, with catalogues", twice),
            _ahead(f"{cadence}, without catalogues", bare_twice),
            _without(f"{cadence}, without catalogues", bare_twice),
            _lost(f"{cadence}, with catalogues", twice),
        ),
        figures=(_figure(cadence, twice),),
    )


def _of_class(outcomes: Sequence[Outcome], number: int) -> list[Outcome]:
    return [one for one in outcomes if one.merger.area_class == number]


def _class_name(number: int) -> str:
    low, high = CLASSES[number]
    return f"< {high:g} deg2" if low == 0.0 else f"> {low:g} deg2" if math.isinf(high) else f"{low:g}-{high:g} deg2"


def _share_words(k: int, n: int) -> str:
    low, high = binomial(k, n)
    return f"{k} of {n}, {k / n:.1%} ({low:.1%} to {high:.1%})" if n else "none of none"


def _adds_up(cadence: str, outcomes: Sequence[Outcome]) -> Check:
    counted = Counter(one.fate for one in outcomes)
    weight = weights([one.merger for one in outcomes])
    total = math.fsum(weight[[one.fate is fate for one in outcomes]].sum() for fate in Fate) / len(outcomes)
    return Check(
        name=f"{cadence}: every injection ends in one place, and the loss budget adds up to 100 %",
        passed=sum(counted.values()) == len(outcomes) and abs(total - 1.0) < 1e-9,
        found=f"{sum(counted.values())} of {len(outcomes)}, {total:.2%} weighted",
    )


def _vetoed(cadence: str, twice: Sequence[Outcome]) -> Check:
    k = sum(one.fate is Fate.VETOED for one in twice)
    n = sum(one.fate is not Fate.MAP_TOO_LARGE for one in twice)
    low, _ = binomial(k, n)
    passed = (low if n < 2 * FEW else k / max(n, 1)) <= MOST_VETOED
    return Check(name=f"{cadence}: of those detected twice at most 2 % are vetoed", passed=passed, found=_share_words(k, n))


def _ranked(cadence: str, number: int, twice: Sequence[Outcome]) -> Check:
    own = _of_class(twice, number)
    k, n = sum(one.fate is Fate.BEST_THREE for one in own), len(own)
    bare = sum(one.without_catalogues.fate is Fate.BEST_THREE for one in own)
    _, high = binomial(k, n)
    compared = high if n < FEW else k / n
    words = _share_words(k, n)
    return Check(
        name=f"{cadence}, {_class_name(number)}: with catalogues {PROMISED[number]:.0%} of those detected twice rank 1-3",
        passed=compared >= PROMISED[number],
        found=(words if n >= FEW else f"{words}; of so few the upper end counts")
        + f"; without catalogues {_share_words(bare, n)}",
    )


def _better(cadence: str, twice: Sequence[Outcome]) -> list[Check]:
    ranked = [one for one in twice if one.rank is not None]
    ours = sum(one.rank is not None and one.rank <= 3 for one in ranked)
    by_density = sum(one.rank_by_density is not None and one.rank_by_density <= 3.0 for one in ranked)
    by_time = sum(one.rank_by_time is not None and one.rank_by_time <= 3.0 for one in ranked)
    return [
        Check(
            name=f"{cadence}: more are ranked 1-3 than {name} alone does",
            passed=ours > other or not ranked,
            found=f"{ours} against {other}, of {len(ranked)}",
        )
        for name, other in (("the map's density", by_density), ("time", by_time))
    ]


def _budget(cadence: str, outcomes: Sequence[Outcome]) -> Table:
    weight = weights([one.merger for one in outcomes])
    rows = []
    for fate in Fate:
        cells = [fate.value]
        for number in range(len(CLASSES)):
            own = _of_class(outcomes, number)
            k = sum(one.fate is fate for one in own)
            cells.append(f"{k} ({k / len(own):.1%})" if own else "-")
        share = float(weight[[one.fate is fate for one in outcomes]].sum() / len(outcomes))
        rows.append((*cells, f"{share:.1%}"))
    n = [len(_of_class(outcomes, number)) for number in range(len(CLASSES))]
    rows.append(("all", *(f"{one} (100 %)" if one else "-" for one in n), "100.0%"))
    return Table(
        title=f"{cadence}: loss budget of {len(outcomes)} mergers",
        columns=("where it ends", *(_class_name(number) for number in range(len(CLASSES))), "all, as nature has areas"),
        rows=tuple(rows),
    )


def _ranks(cadence: str, twice: Sequence[Outcome]) -> Table:
    rows = []
    for number in range(len(CLASSES)):
        own = _of_class(twice, number)
        ranked = [one for one in own if one.rank is not None]
        ways = (
            ("the hub's score, with catalogues", [float(one.rank or 0) for one in ranked]),
            ("the hub's score, without catalogues", [float(one.without_catalogues.rank or 0) for one in ranked]),
            ("2D density alone", [one.rank_by_density or 0.0 for one in ranked]),
            ("time alone", [one.rank_by_time or 0.0 for one in ranked]),
        )
        for name, found in ways:
            k = sum(one <= 3.0 for one in found)
            median = f"{np.median(found):g}" if found else "-"
            rows.append((_class_name(number), name, _share_words(k, len(own)), median))
    return Table(
        title=f"{cadence}: ranked 1-3, of those detected twice",
        columns=("90 % area", "ranked by", "share, 95 % interval", "median rank"),
        rows=tuple(rows),
    )


def _ahead(cadence: str, twice: Sequence[Outcome]) -> Table:
    rows = []
    for number in range(len(CLASSES)):
        own = [one for one in _of_class(twice, number) if one.rank is not None]
        counted = Counter(kind for one in own for kind in one.ahead)
        candidates = float(np.median([one.n_candidates for one in own])) if own else 0.0
        said = ", ".join(f"{KIND_NAMES[kind]} {n / len(own):.2f}" for kind, n in counted.most_common())
        lifted = [one.lifted_by for one in own if one.lifted_by]
        means = {name: float(np.mean([one[name] for one in lifted])) for name in (lifted[0] if lifted else ())}
        terms = ", ".join(f"{name} {value:+.1f}" for name, value in sorted(means.items(), key=lambda item: -abs(item[1])))
        rows.append((_class_name(number), f"{candidates:g}", said or "nothing", terms or "-"))
    return Table(
        title=f"{cadence}: what is ranked before the counterpart, a merger",
        columns=("90 % area", "confirmed candidates, median", "before it, mean number", "terms of these, over the counterpart's"),
        rows=tuple(rows),
    )


def _without(cadence: str, twice: Sequence[Outcome]) -> Table:
    """Tell what the ranks would be where it was known of some kinds of objects what they are: what the score could gain there."""
    rows = []
    for number in range(len(CLASSES)):
        own = _of_class(twice, number)
        ranked = [one for one in own if one.rank is not None]
        cells = [_class_name(number)]
        for kinds in _KNOWN.values():
            k = sum(sum(kind not in kinds for kind in one.ahead) < 3 for one in ranked)
            cells.append(_share_words(k, len(own)))
        rows.append(tuple(cells))
    return Table(
        title=f"{cadence}: ranked 1-3, of those detected twice, if it were known what some of the others are",
        columns=("90 % area", *_KNOWN),
        rows=tuple(rows),
    )


_VARY, _FALSE = (VARIABLE_STAR, ACTIVE_GALAXY), (GHOST, BAD_SITE, ARTEFACT)
_KNOWN: dict[str, tuple[int, ...]] = {
    "nothing known": (),
    "all variable stars and active galaxies known": _VARY,
    "all false detections as well": (*_VARY, *_FALSE),
    "all but these and supernovae: flares and afterglows stay": (*_VARY, *_FALSE, SUPERNOVA),
}
"""Kinds that are left out, by what is said of it."""


def _lost(cadence: str, twice: Sequence[Outcome]) -> Table:
    """Tell of each counterpart in a small map that is ranked worse what is before it, and which term lifts that most."""
    lost = [one for one in _of_class(twice, 0) if one.rank is not None and one.rank > 3]
    rows = []
    for one in sorted(lost, key=lambda one: (one.rank or 0, one.merger.number))[:MOST_LOST]:
        kinds = ", ".join(f"{KIND_NAMES[kind]} {n}" for kind, n in Counter(one.ahead).most_common())
        terms = ", ".join(f"{name} {value:+.1f}" for name, value in sorted(one.lifted_by.items(), key=lambda item: -item[1])[:2])
        rows.append(
            (
                str(one.merger.number),
                f"{one.merger.area90_deg2:.0f}",
                f"{one.merger.distance_mpc:.0f}",
                f"{one.rank} of {one.n_candidates}",
                kinds,
                terms,
            )
        )
    return Table(
        title=f"{cadence}, {_class_name(0)}: the {len(lost)} counterparts that are ranked worse than third, the best {MOST_LOST}",
        columns=("merger", "area, deg2", "distance, Mpc", "rank", "before it", "by these terms most, their mean over its own"),
        rows=tuple(rows),
    )


def _figure(cadence: str, twice: Sequence[Outcome]) -> Figure:
    ranked = [one for one in twice if one.rank is not None]

    def curve(label: str, found: list[float]) -> Curve:
        at: Floats = np.arange(1.0, 101.0)
        ordered = np.sort(np.array(found))
        return Curve(label=label, x=at, y=np.searchsorted(ordered, at, side="right") / max(1, len(twice)))

    return Figure(
        name=f"injections-{cadence.split(maxsplit=1)[0]}",
        caption=f"{cadence}: share of the counterparts with two detections up to a rank, all areas as drawn.",
        x_label="rank",
        y_label="share",
        curves=(
            curve("the hub's score, with catalogues", [float(one.rank or 0) for one in ranked]),
            curve("the hub's score, without catalogues", [float(one.without_catalogues.rank or 0) for one in ranked]),
            curve("2D density alone", [one.rank_by_density or 0.0 for one in ranked]),
            curve("time alone", [one.rank_by_time or 0.0 for one in ranked]),
        ),
        log_x=True,
    )


_NOTE = """\
Binary neutron stars with areas and distances as in simulations of the fourth observing run (Kiendrebeogo et al. 2023, ApJ 958,
158), more small areas than nature has; figures for all areas are weighted back. Each has a bent multi-order map somewhere and
lies at a place and distance drawn from that map. Its light is that of radioactive ejecta in three components with masses and
velocities spread around those of AT2017gfo, and of a jet seen from an angle that gravitational waves select
(`hub/calibration/injections_light.py`): none of the straight lines that the score expects.

Nights, camera, templates, lost detectors and all unrelated objects are those of `mmhub simulate night`. An object counts as new
if it was not detected in the 60 nights before. Ranks are those among confirmed candidates as they stand 7 days after the merger,
by the functions and rules that the hub runs with. Targets of opportunity are mergers with areas up to 500 square degrees, visited
in the first night, the next one and the third after, in two bands each, beside the survey.

*With catalogues* is a hub that has what one beside a survey in its second year has, by `conf/calibration.toml`: a table of the
objects that the survey itself detected in two nights or more of the year before those that packets know, and what public
catalogues hold of variables and quasars, drawn by numbers apart from those of the light curves. None says what an object is,
and none is complete; counterparts have entries beside them by chance as well. They are taken in as `mmhub catalog add` does and
asked by the code of the running hub (`hub.services.hosting`). *Without catalogues* is the same hub with none: all that tells a
star or nucleus then which stayed below the limit for sixty nights is its light since.

What the score could gain at most, with the tuning seed 101 (260 mergers below 100 square degrees; 27 counterparts in the survey
and 62 with visits for them): an oracle that has the true populations of supernovae and of kilonovae, their light curves at
every visit, detected or not, and is told which of the others are variable, active or false, ranks 26 and 62 of them 1-3:
neither the maps nor supernovae forbid nine in ten. The hub's score without catalogues ranked 17 and 43 of these 1-3, and 22 and
56 where it was told which are variable, active or false.

Simplified: no catalogue of galaxies is installed, so single detections are never confirmed, and unknown asteroids and
artefacts, each detected once, are ranked apart. The ledger of visits is the true list of what was searched. Weather takes whole
nights; there is no moon. All mergers of a run share the nights, so their unrelated objects are the same where maps overlap.
*Too faint* is what a visit of ordinary depth would have detected at no time in no band, *not visited in time* what it would
have; *missed by the pipeline* is what the simulation drops of detections (masks, blends, edges), two of five."""
