"""Years of unrelated notices at real rates, through the very evaluation of pairs: what the hub would falsely announce."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hub.calibration.result import Check, Floats, Result, Size, Table, Tell
from hub.calibration.streams import YEAR_S, Stream, pools, unrelated
from hub.calibration.subject import Subject
from hub.model.coincidence import Coincidence, Member, MemberKind, PairState
from hub.model.event import Event, StoredNotice, assemble
from hub.model.instant import Instant
from hub.model.notice import Notice, Role, Stage
from hub.model.sky import Localization
from hub.science.budget import MONTH_S, SUM_TOLERANCE, Budget
from hub.science.pairs import PairResult, Sky, evaluate
from hub.science.rules import PairRule, Rules, searched_hz
from hub.science.trigger_rates import poisson_tail

BEGIN = Instant.from_utc_iso("2026-01-01T00:00:00Z")
"""Of the first year; all others are laid over it."""

MAPS = 40
"""Maps of each kind: all of one kind are overlapped with all of another."""

LEAST_CHANCE = 1e-5
"""A number is called wrong where chance makes one as far off so rarely: about fifty are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Column:
    """Notices of a stream in one year, in order of time."""

    stream: Stream
    time_s: Floats
    far_hz: Floats
    map: NDArray[np.int64]
    """Place in the pool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """The part `year`."""

    subject: Subject
    nature: Rules
    """The windows and rates of the world that is simulated."""

    maps_of_a_kind: int = MAPS
    """Of which notices take any."""

    name: str = "year"
    title: str = "Years of unrelated notices"

    def run(self, rng: Generator, size: Size, tell: Tell) -> Result:
        """Draw years of notices, evaluate what meets in time, and count pairs and announcements."""
        tell("maps")
        streams, maps = unrelated(self.nature), pools(self.subject, rng, self.maps_of_a_kind)
        overlaps: dict[tuple[str, str], float] = {}

        def overlap(a: Localization, b: Localization) -> float:
            key = (a.localization_id, b.localization_id)
            if key not in overlaps:
                overlaps[key] = self.subject.overlap(a.skymap, b.skymap)
            return overlaps[key]

        sky = Sky(
            maps={one.localization_id: one for pool in maps.values() for one in pool},
            overlap=overlap,
            min_overlap=self.subject.rules.min_overlap,
        )
        opened: dict[str, int] = {}
        announced = {pair.name: 0 for pair in self.nature.pairs}
        per_year = []
        for year in range(size.years):
            tell(f"year {year + 1} of {size.years}")
            columns = [_draw(stream, rng, self.maps_of_a_kind) for stream in streams]
            left = 0
            for one, other in self._meetings(columns, maps):
                for result in evaluate(one, other, self.subject.rules, sky):
                    if result.state is PairState.OPEN:
                        opened[result.rule.name] = opened.get(result.rule.name, 0) + 1
                        if _leaves(result, self.subject.rules):
                            announced[result.rule.name] += 1
                            left += 1
            per_year.append(left)
        tell("what is expected")
        expected = {rule.name: size.years * _expected_open(rule, streams, maps, sky, self.nature) for rule in self.nature.pairs}
        assert self.subject.rules.budget is not None, "the shipped rules have a budget"
        return _told(self.nature, self.subject.rules.budget, opened, announced, expected, per_year)

    def _meetings(self, columns: list[_Column], maps: Mapping[str, tuple[Localization, ...]]) -> list[tuple[Event, Event]]:
        """Return pairs of events that some rule could take by their times; each pair once."""
        met: set[tuple[int, int, int, int]] = set()
        for rule in self.nature.pairs:
            low, high = rule.window_s
            reach = 2.0 * (high - low)
            for i, first in enumerate(columns):
                for j, second in enumerate(columns):
                    if i == j or first.stream.event_class not in rule.first or second.stream.event_class not in rule.second:
                        continue
                    start = np.searchsorted(second.time_s, first.time_s + low - reach)
                    end = np.searchsorted(second.time_s, first.time_s + high + reach)
                    for k in np.flatnonzero(end > start):
                        met.update((i, int(k), j, n) for n in range(int(start[k]), int(end[k])))
        return [(_event(columns[i], k, maps), _event(columns[j], n, maps)) for i, k, j, n in sorted(met)]


def _draw(stream: Stream, rng: Generator, maps: int) -> _Column:
    number = int(rng.poisson(stream.rate_hz * YEAR_S))
    return _Column(
        stream=stream,
        time_s=np.sort(rng.uniform(0.0, YEAR_S, number)),
        far_hz=stream.fars(rng, number),
        map=rng.integers(0, maps, number),
    )


def _event(column: _Column, row: int, maps: Mapping[str, tuple[Localization, ...]]) -> Event:
    stream = column.stream
    name = f"{stream.name.replace(' ', '-').replace(',', '')}-{row}"
    far = float(column.far_hz[row])
    notice = Notice(
        identity=name,
        format="simulated",
        ivorn=None,
        stream="simulated",
        mission=stream.mission,
        instrument=None,
        messenger=stream.messenger,
        role=Role.OBSERVATION,
        stage=Stage.INITIAL,
        event_class=stream.event_class,
        event_key=name,
        t0=BEGIN.plus_s(float(column.time_s[row])),
        far_hz=None if math.isnan(far) else far,
        is_live=True,
    )
    stored = StoredNotice(
        notice_id=name,
        notice=notice,
        received_at=BEGIN,
        is_trusted=True,
        digest=name,
        localization_id=maps[stream.maps][column.map[row]].localization_id,
    )
    return assemble(name, [stored])


def _leaves(result: PairResult, rules: Rules) -> bool:
    """Tell whether the budget lets a pair out."""
    assert rules.budget is not None, "the shipped rules have a budget"
    pair = Coincidence(
        coincidence_id="simulated",
        kind=result.rule.kind,
        hypothesis=result.rule.name,
        members=tuple(Member(kind=MemberKind.EVENT, id=event.event_id) for event in (result.first, result.second)),
        state=result.state,
        version=1,
        scores=result.scores,
        reasons=result.reasons,
        localization_ids=result.localization_ids,
        is_live=True,
        t0=BEGIN,
        created_at=BEGIN,
    )
    return not rules.budget.verdict(pair).held_back


def _expected_open(
    rule: PairRule, streams: tuple[Stream, ...], maps: Mapping[str, tuple[Localization, ...]], sky: Sky, rules: Rules
) -> float:
    """Return how many open pairs a rule makes a year: its windows, less what a rule before it in the file takes, and the maps."""
    total = 0.0
    for first in streams:
        for second in streams:
            if first is second or not _takes(rule, first, second):
                continue
            taken = [
                one for one in rules.pairs[: rules.pairs.index(rule)] if one.kind == rule.kind and _takes(one, first, second)
            ]
            before = [window_s for one in taken for window_s in one.windows_s]
            width = _width([*rule.windows_s, *before]) - _width(before)
            if width > 0.0:
                share = np.mean([[sky.overlap(a, b) >= sky.min_overlap for b in maps[second.maps]] for a in maps[first.maps]])
                total += first.rate_hz * second.rate_hz * width * float(share) * YEAR_S
    return total


def _takes(rule: PairRule, first: Stream, second: Stream) -> bool:
    fits = not rule.second_missions or second.mission in rule.second_missions
    return fits and first.event_class in rule.first and second.event_class in rule.second


def _width(windows: list[tuple[float, float]]) -> float:
    """Return the length of the union of intervals."""
    total, reached = 0.0, -math.inf
    for low, high in sorted(windows):
        total += max(0.0, high - max(low, reached))
        reached = max(reached, high)
    return total


def _told(  # noqa: PLR0917 - all that was counted
    rules: Rules, ours: Budget, opened: dict[str, int], announced: dict[str, int], expected: dict[str, float], per_year: list[int]
) -> Result:
    assert rules.budget is not None, "the shipped rules have a budget"
    years, months = len(per_year), len(per_year) * YEAR_S / MONTH_S
    rows, checks = [], []
    for name in (rule.name for rule in rules.pairs):
        promised = rules.budget.shares[name].per_month * months
        found, hoped = opened.get(name, 0), expected[name]
        checks += [
            Check(
                name=f"{name}: open pairs come as often as rates, window and maps say",
                passed=_agrees(found, hoped),
                found=f"{found}, expected {hoped:.1f}",
            ),
            Check(
                name=f"{name}: false announcements stay within the share of the budget",
                passed=poisson_tail(announced[name], promised) > LEAST_CHANCE,
                found=f"{announced[name]}, the share is {promised:.1f}",
            ),
        ]
        rows.append((name, str(found), f"{hoped:.1f}", str(announced[name]), f"{promised:.1f}"))
    candidates = [_candidates(one.name, searched_hz(one, rules), ours) for one in rules.hypotheses]
    checks += [check for check, _, _ in candidates]
    total, budget = sum(per_year), rules.budget.per_month * months
    of_candidates = math.fsum(most for _, _, most in candidates) * months
    checks.append(
        Check(
            name="all pairs, and candidates at their thresholds: false announcements stay within the budget",
            passed=of_candidates < budget and poisson_tail(total, budget - of_candidates) > LEAST_CHANCE,
            found=f"{total / years:.3g} a year of pairs and at most {of_candidates / years:.3g} of candidates, the budget of the "
            f"hub is {budget / years:.3g}; the first year had {per_year[0]} pairs",
        )
    )
    return Result(
        checks=tuple(checks),
        notes=(_NOTE, _OF_CANDIDATES),
        tables=(
            Table(
                title=f"{years} years of unrelated notices",
                columns=("rule", "open pairs", "expected", "announced", "share of the budget"),
                rows=tuple(rows),
            ),
            Table(
                title="Candidates, by their thresholds",
                columns=("hypothesis", "events a month", "unrelated objects an event at most", "false a month at most", "share"),
                rows=tuple(row for _, row, _ in candidates),
            ),
        ),
    )


def _candidates(name: str, searched: float, budget: Budget) -> tuple[Check, tuple[str, ...], float]:
    """Return whether a hypothesis keeps its share in the simulated world, its row, and its false announcements a month at most.

    The events are those of the world's rates, where these say how many are searched; else the share's own number.
    """
    share = budget.shares[name]
    assert share.events_per_month is not None, "hypotheses have events"
    assert share.largest_expected is not None, "the same"
    events = searched * MONTH_S or share.events_per_month
    most = events * share.largest_expected
    check = Check(
        name=f"{name}: as many events as come, each with the largest expectation that leaves, stay within the share",
        passed=most <= share.per_month * (1.0 + SUM_TOLERANCE),
        found=f"{most:.3g} a month, the share is {share.per_month:.3g}",
    )
    row = (name, f"{events:.3g}", f"{share.largest_expected:.2g}", f"{most:.2g}", f"{share.per_month:g}")
    return check, row, most


def _agrees(found: int, hoped: float) -> bool:
    """Tell whether a Poisson number is neither too large nor too small."""
    too_many = poisson_tail(found, hoped)
    too_few = 1.0 - poisson_tail(found + 1, hoped)
    return min(too_many, too_few) > LEAST_CHANCE


_OF_CANDIDATES = """\
Candidates are counted from their thresholds, not simulated here: a candidate leaves where no more unrelated objects an event are
expected than the table says, so with the events that come the product is the most that leaves falsely. How many bursts, X-ray
transients and neutrinos come is what `[rates]` and `[feeds]` say; of gravitational waves, whose rates there count alerts that are
not searched, it is the number in the share."""

_NOTE = """\
Notices of all kinds at the rates of `conf/coincidence.toml`: noise with false-alarm rates as they say, a tenth of the mergers
real and as significant as those of published catalogues, each with a map of its kind somewhere. None of them has to do with
another. What meets in time goes through `hub.science.pairs.evaluate`, and each open pair through the budget of false
announcements. The finds of targeted searches come at all times here, not only around gravitational waves, so those beside none
make no pairs. Trailing rates are not measured: the configured ones are true."""
