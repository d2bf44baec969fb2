"""Time slides over a recorded list of triggers, which come in storms: whether its coincidences follow the formula."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

from hub.calibration.result import Check, Curve, Figure, Floats, Result, Size, Table, Tell
from hub.calibration.subject import Subject
from hub.errors import InvalidRequest
from hub.model.instant import Instant
from hub.science.rules import Rules
from hub.science.searches import YEAR_S
from hub.science.trigger_rates import estimate

SEARCH = "GRB-BURST"
"""The widest window of bursts: storms show best in it."""

NOISE_PER_YEAR = 2_000.0
"""Rate of the simulated triggers of gravitational waves that are slid over the list."""

SIGMAS = 4.5
"""Deviation at which a mean is called wrong."""

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slides:
    """The part `slides`."""

    subject: Subject
    nature: Rules
    triggers: Path | None
    """Lines of mission seconds, number, time; None where there is no list."""

    name: str = "slides"
    title: str = "Time slides over recorded triggers"

    def run(self, rng: Generator, size: Size, tell: Tell) -> Result:
        """Slide noise over the list, count coincidences, and compare their number with rates."""
        if self.triggers is None:
            return Result(checks=(), notes=("No list of triggers was given (`--triggers FILE`), so there are no time slides.",))
        times = read_triggers(self.triggers)
        begin, span = float(times[0]), float(times[-1] - times[0])
        search = self.subject.search(SEARCH)
        configured = search.rate_hz[self.nature.profile]
        noise = np.sort(rng.uniform(0.0, span, rng.poisson(NOISE_PER_YEAR * span / YEAR_S)))
        tell("rates before each trigger")
        used, storm = self._rates(times, configured)
        known = int(np.searchsorted(times, times[0] + self.subject.rules.rate_policy.span_d * _DAY_S))
        counts, inverse, in_storm = np.empty(size.slides), np.empty(size.slides), 0
        for i in range(size.slides):
            tell(f"slide {i + 1} of {size.slides}")
            slid = np.sort((noise + rng.uniform(0.0, span)) % span) + begin
            low = np.searchsorted(slid, times - search.window_s[1])
            found = np.searchsorted(slid, times - search.window_s[0], side="right") - low
            counts[i] = found.sum()
            # Each coincidence has a rate of its own; were the rates right, the sum of their inverses would be the time.
            inverse[i] = (found / used)[known:].sum()
            in_storm += int(found[storm].sum())
        counted = _Counted(
            times=times,
            width_s=search.width_s,
            configured_hz=configured,
            n_noise=len(noise),
            counts=counts,
            inverse=inverse * span / float(times[-1] - times[known]),
            in_storm=in_storm,
        )
        return _told(counted)

    def _rates(self, times: Floats, configured_hz: float) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        """Return the rate that the hub uses at each trigger, Hz, and whether it sees a storm."""
        policy = self.subject.rules.rate_policy
        micro = (times * 1e6).astype(np.int64)
        used, storm = np.empty(len(times)), np.zeros(len(times), dtype=np.bool_)
        first = np.searchsorted(times, times - policy.span_d * _DAY_S)
        for i, moment in enumerate(micro):
            found = estimate(micro[first[i] : i], Instant(int(moment)), configured_hz=configured_hz, policy=policy)
            used[i], storm[i] = found.rounded(policy).hz, found.is_storm
        return used, storm


def read_triggers(path: Path) -> Floats:
    """Return the times of a list, seconds since any beginning, ascending.

    Raises
    ------
    InvalidRequest
        The file cannot be read, or is no such list.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            times = np.sort(np.array([float(row[0]) for row in csv.reader(file) if row and not row[0].startswith("#")]))
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path} is no list of triggers: {error}") from error
    if len(times) < 100 or not np.isfinite(times).all():
        raise InvalidRequest(f"{path} is no list of triggers: it has {len(times)} times, and 100 are needed")
    return times


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Counted:
    """What all slides found."""

    times: Floats
    """Of the recorded triggers, seconds."""

    width_s: float
    configured_hz: float
    n_noise: int
    """Triggers of gravitational waves."""

    counts: Floats
    """Coincidences of each slide."""

    inverse: Floats
    """Of each slide the sum over its coincidences of one over the rate used, as for the whole list, seconds."""

    in_storm: int


def _told(found: _Counted) -> Result:
    times, counts, inverse = found.times, found.counts, found.inverse
    span_s, width_s, configured_hz = float(times[-1] - times[0]), found.width_s, found.configured_hz
    mean_hz = len(times) / span_s
    noise_hz = found.n_noise / span_s
    by_list, by_rules = noise_hz * len(times) * width_s, noise_hz * configured_hz * span_s * width_s
    mean, error = float(counts.mean()), float(counts.std() / math.sqrt(len(counts)))
    dispersion = float(counts.var() / mean)
    # A coincidence says that noise does this once in 1 / (W R); the sum of these times over all is the time of the list.
    measured = float(inverse.mean() / (noise_hz * width_s * span_s))
    measured_error = float(inverse.std() / math.sqrt(len(inverse)) / (noise_hz * width_s * span_s))
    daily = np.bincount(((times - times[0]) / _DAY_S).astype(np.int64))
    rows = (
        ("triggers, per year", f"{mean_hz * YEAR_S:.1f}", f"{len(times)} in {span_s / YEAR_S:.2f} years"),
        ("rate of the rules, per year", f"{configured_hz * YEAR_S:.1f}", "bursts; the list has triggers of all classes"),
        ("triggers a day", f"{daily.mean():.2f}", f"variance {daily.var():.2f}, most {daily.max()}"),
        ("coincidences a slide", f"{mean:.3f} +- {error:.3f}", f"variance over mean {dispersion:.2f}, 1 for a Poisson process"),
        ("by the mean rate of the list", f"{by_list:.3f}", f"excess {mean / by_list - 1.0:+.2%}"),
        ("by the rate of the rules", f"{by_rules:.3f}", f"excess {mean / by_rules - 1.0:+.1%}"),
        ("by the rate that the hub measures before each", f"{mean / measured:.3f}", f"excess {measured - 1.0:+.1%}"),
        ("in storms", f"{found.in_storm / len(counts):.3f}", f"{found.in_storm / counts.sum():.1%} of all coincidences"),
    )
    excess = mean / by_rules - 1.0
    checks = (
        Check(
            name=f"{SEARCH}: coincidences in slides are W R_gw times the number of recorded triggers",
            passed=abs(mean - by_list) < SIGMAS * error,
            found=f"{mean:.3f} +- {error:.3f}, expected {by_list:.3f}",
        ),
        Check(
            name=f"{SEARCH}: with rates measured before each trigger, noise is not more frequent than its rate says by over 10 %",
            passed=measured - SIGMAS * measured_error < 1.1,
            found=f"{measured:.3f} +- {measured_error:.3f} of what the rates say; with the configured rate {1.0 + excess:.3f}",
        ),
    )
    values, numbers = np.unique(counts, return_counts=True)
    poisson = np.exp(values * math.log(mean) - mean - np.array([math.lgamma(v + 1.0) for v in values]))
    return Result(
        checks=checks,
        notes=(_NOTE,),
        tables=(Table(title=f"{len(counts)} slides, window {width_s:g} s", columns=("", "value", ""), rows=rows),),
        figures=(
            Figure(
                name="slides",
                caption="Coincidences a slide, beside a Poisson distribution of the same mean.",
                x_label="coincidences",
                y_label="share of slides",
                curves=(
                    Curve(label="Poisson, same mean", x=values, y=poisson),
                    Curve(label="slides", x=values, y=numbers / len(counts), error=np.sqrt(numbers) / len(counts)),
                ),
            ),
        ),
    )


_NOTE = """\
Simulated triggers of gravitational waves, a Poisson process, are shifted by a random time against the recorded triggers of
Fermi's GBM, around the end of the list, again and again. The recorded ones come in storms of magnetars and of the Sun, so their
coincidences can come in bunches; their mean number does not change. The rate that the hub measures before each trigger
(trailing, or that of the day in a storm; from the 91st day of the list on) must make up for the difference between the list and
the configured rate, which is of bursts alone."""
