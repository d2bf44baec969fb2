"""How often noise reaches a joint false-alarm rate, against what that rate says.

Noise triggers of gravitational waves have false-alarm rates that are uniform up to a threshold, external triggers come at the
rate of the rules, both at random times, and their maps are turned at random. With K the rate of coincidences in time, the
number with a space-time rate below f in a time T is ``T K E[min(1, I f / K)]``: never more than f T, and equal to it below K
over the largest overlap only, for no coincidence has a time-only rate above K.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hub.calibration import null_dependent
from hub.calibration.result import Check, Curve, Figure, Floats, Result, Size, Table, Tell, joined
from hub.calibration.rotations import Points, laid_out, overlaps, points_of, random_rotations
from hub.calibration.shapes import Shape, bent_region, cone
from hub.calibration.subject import Subject
from hub.calibration.uniformity import THREE_SIGMA, ks_probability, pp_curves, randomised
from hub.science.rules import Rules
from hub.science.searches import FarMethod, Search

SIGMAS = 4.5
"""Deviation at which a count is called wrong: a hundred are looked at; one run in 1,500 has one so far off by chance."""

MAX_FAR_HZ = 2.0 / 86_400.0
"""Noise triggers of gravitational waves of an untargeted search are simulated up to this rate, that of public alerts."""

FRACTIONS = (1.0, 0.1, 0.01, 1e-3, 1e-4)
"""Of K, at which counts are compared."""

AGREEMENT = 1.25
"""Factor by which nine in ten looked-up overlaps differ at most from the exact ones: pixels lie otherwise on steep flanks."""

_LEAST_COMPARED = 0.1
"""Overlaps below say no more than that the maps lie apart."""

_LEAST_COUNT = 20.0
"""Where fewer are expected than this, nothing is counted."""

_PAIRS_EACH, _LEAST_EACH = 100, 200
"""One alert with a search around it for so many coincidences, and at least so many: each is a whole pair of events."""

_TRANSFORMED = 100_000
"""Coincidences whose p-values are transformed at most: for more, the sample that they are compared with is too small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Two kinds of map that are turned against each other."""

    name: str
    laid_out: Shape
    """The one that is looked up: at least 1.5 degrees wide."""

    points: Shape
    """The one that becomes points."""

    points_order: int
    """HEALPix order of the points: pixels of at most 0.7 of the standard deviation of both together."""

    near_deg: float
    """Every other of the exact overlaps is made with the maps so far apart, in the mean of each axis."""


PAIRINGS = (
    Pairing(name="wide", laid_out=cone(8.0), points=cone(5.0), points_order=4, near_deg=14.0),
    Pairing(name="real", laid_out=cone(2.7, "fermi-gbm-ground"), points=bent_region(300.0, 12.0), points_order=5, near_deg=10.0),
    Pairing(name="narrow", laid_out=cone(1.5), points=cone(0.05), points_order=9, near_deg=2.0),
    Pairing(name="small", laid_out=cone(8.0), points=cone(0.08), points_order=9, near_deg=14.0),
)
"""What the untargeted law is tried with."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sky:
    """Overlaps under random rotations."""

    pairing: Pairing
    drawn: Floats
    """For the coincidences; more than are needed."""

    reference: Floats
    """Others, for what is expected."""

    largest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Noise:
    """The coincidences in time of a search."""

    rate_hz: float
    """K: expected rate of coincidences in time, by the rules of the world that is simulated."""

    time_s: float
    first_far_hz: Floats
    second_far_hz: Floats
    spread: float
    """Variance of the number over its mean: slightly above 1, as one external trigger can meet two of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NullLaw:
    """The part `null`."""

    subject: Subject
    nature: Rules
    """The windows and rates of the world that is simulated."""

    pairings: tuple[Pairing, ...] = PAIRINGS
    name: str = "null"
    title: str = "Null law"

    def run(self, rng: Generator, size: Size, tell: Tell) -> Result:
        """Simulate noise of an untargeted search with each pairing of maps, of a targeted one with the first, and dependents."""
        results = []
        skies = []
        for pairing in self.pairings:
            tell(f"overlaps, {pairing.name}")
            sky, found = _sky(pairing, self.subject, rng, size)
            skies.append(sky)
            results.append(found)
        for name, sky in [("GRB-CBC", sky) for sky in skies] + [("SUBGRB_TARGETED_FERMI-CBC", skies[0])]:
            tell(f"coincidences, {name}, {sky.pairing.name}")
            results.append(self._law(name, sky, rng, size))
        tell("searches that answer, unrelated events of targeted ones")
        number = max(size.pairs // _PAIRS_EACH, _LEAST_EACH)
        results.append(null_dependent.answering(self.subject, rng, number))
        results.append(null_dependent.targeted(self.subject, rng, 5 * number))
        return joined([Result(checks=(), notes=(_NOTE,)), *results])

    def _law(self, name: str, sky: _Sky, rng: Generator, size: Size) -> Result:
        world = next(search for search in self.nature.searches if search.name == name)
        noise = _noise(world, self.subject.search(name).window_s, self.nature.profile, rng, size.pairs)
        n = len(noise.first_far_hz)
        overlap = rng.choice(sky.drawn, n, replace=n > len(sky.drawn))
        rates = _joint(self.subject, name, noise, overlap)
        what = f"{name}, maps {sky.pairing.name}"
        expected_n = noise.time_s * noise.rate_hz
        off = (n - expected_n) / math.sqrt(expected_n * noise.spread)
        number = Check(
            name=f"{what}: coincidences in time come at W R F_max",
            passed=abs(off) < SIGMAS,
            found=f"{n}, expected {expected_n:.0f} ({off:+.1f} sigma)",
        )
        return joined(
            [
                Result(checks=(number,)),
                _decades(what, rates, noise, sky),
                _transformed(what, rates, noise, sky, least=self.nature.min_overlap, rng=rng),
            ]
        )


def _sky(pairing: Pairing, subject: Subject, rng: Generator, size: Size) -> tuple[_Sky, Result]:
    at_rest = np.eye(3)
    first, second = pairing.laid_out.make(subject, at_rest), pairing.points.make(subject, at_rest)
    table, points = laid_out(first), points_of(second, pairing.points_order)
    number = int(size.pairs * 1.02) + 1000
    drawn = _turned(table, points, rng, number)
    sky = _Sky(
        pairing=pairing,
        drawn=drawn,
        reference=_turned(table, points, rng, size.pairs),
        largest=max(subject.overlap(first, second), float(drawn.max())),
    )
    mean, error = float(drawn.mean()), float(drawn.std() / math.sqrt(number))
    check = Check(
        name=f"maps {pairing.name}: mean overlap is 1",
        passed=abs(mean - 1.0) < SIGMAS * error,
        found=f"{mean:.4f} +- {error:.4f} over {number} rotations",
    )
    return sky, joined([Result(checks=(check,)), _exact(pairing, subject, table, points, rng=rng, number=size.exact)])


def _turned(table: Floats, points: Points, rng: Generator, number: int) -> Floats:
    sizes = [min(100_000, number - start) for start in range(0, number, 100_000)]
    return np.concatenate([overlaps(table, points, random_rotations(rng, size)) for size in sizes])


def _exact(pairing: Pairing, subject: Subject, table: Floats, points: Points, *, rng: Generator, number: int) -> Result:
    """Compare with overlaps of maps that are both made where a common rotation and one of their own take them."""
    relative, common = random_rotations(rng, number), random_rotations(rng, number)
    relative[::2] = [_near(rng, pairing.near_deg) for _ in relative[::2]]
    looked_up = overlaps(table, points, relative)
    exact = np.array(
        [
            subject.overlap(pairing.laid_out.make(subject, world), pairing.points.make(subject, world @ turn))
            for world, turn in zip(common, relative, strict=True)
        ]
    )
    speaks = np.maximum(exact, looked_up) > _LEAST_COMPARED
    factor = np.exp(np.abs(np.log(np.maximum(exact, _LEAST_COMPARED / 10) / np.maximum(looked_up, _LEAST_COMPARED / 10))))
    typical, most, worst = np.percentile(factor[speaks], (50.0, 90.0, 100.0))
    check = Check(
        name=f"maps {pairing.name}: overlaps of the hub agree with those looked up pixel by pixel",
        passed=bool(most < AGREEMENT),
        found=f"factor {typical:.3f} in half, below {most:.3f} in 90 %, at most {worst:.3f}"
        f" of {np.count_nonzero(speaks)} rotations with an overlap above {_LEAST_COMPARED}",
    )
    return Result(checks=(check,))


def _near(rng: Generator, near_deg: float) -> Floats:
    """Return a small random rotation."""
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    angle = math.radians(near_deg) * math.sqrt(rng.chisquare(2))
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross)


def _noise(world: Search, window_s: tuple[float, float], profile: str, rng: Generator, pairs: int) -> _Noise:
    """Draw coincidences: external triggers of the world, and noise around each, of which the window under test takes its part."""
    targeted = world.method is FarMethod.TARGETED
    rate_hz = world.max_external_far_hz[profile] if targeted else world.rate_hz[profile]
    max_far_hz = world.max_gw_far_hz[profile] if targeted else MAX_FAR_HZ
    time_s = pairs / (world.width_s * rate_hz * max_far_hz)
    reach_s = 2.0 * max(*map(abs, window_s), *map(abs, world.window_s))
    n_external = rng.poisson(rate_hz * time_s)
    offset_s = rng.uniform(-reach_s, reach_s, rng.poisson(n_external * 2.0 * reach_s * max_far_hz))
    n = int(np.count_nonzero((offset_s >= window_s[0]) & (offset_s <= window_s[1])))
    return _Noise(
        rate_hz=world.width_s * rate_hz * max_far_hz,
        time_s=time_s,
        first_far_hz=rng.uniform(0.0, max_far_hz, n),
        second_far_hz=rng.uniform(0.0, rate_hz, n),
        spread=1.0 + world.width_s * max_far_hz,
    )


def _joint(subject: Subject, name: str, noise: _Noise, overlap: Floats) -> Floats:
    """Return the space-time rates as the hub computes them; infinity where it gives none or makes no pair."""
    search, rates = subject.search(name), np.full(len(overlap), np.inf)
    least, profile = subject.rules.min_overlap, subject.rules.profile
    for i in np.flatnonzero(overlap >= least):
        found = subject.joint_rates(
            search,
            far_gw_hz=float(noise.first_far_hz[i]),
            far_external_hz=float(noise.second_far_hz[i]),
            profile=profile,
            overlap=float(overlap[i]),
        )
        if found.spacetime.value_hz is not None:
            rates[i] = found.spacetime.value_hz
    return rates


def _decades(what: str, rates: Floats, noise: _Noise, sky: _Sky) -> Result:
    rows, checks, observed, expected = [], [], [], []
    total = noise.time_s * noise.rate_hz
    for fraction in sorted({*FRACTIONS, 0.9 / sky.largest}, reverse=True):
        if fraction * total < _LEAST_COUNT:
            continue
        mean, variance = _expected(sky.reference, fraction)
        hoped = total * mean
        sigma = math.sqrt(hoped * noise.spread + total**2 * variance)
        count, flat = int(np.count_nonzero(rates < fraction * noise.rate_hz)), total * fraction
        off, above = (count - hoped) / sigma, (count - flat) / math.sqrt(flat)
        is_equal = fraction < 1.0 / sky.largest
        below = hoped < flat - 2.0 * SIGMAS * math.sqrt(flat)
        rows.append(
            (f"{fraction:.3g}", str(count), f"{hoped:.1f}", f"{off:+.2f}", f"{count / flat:.4f}", "yes" if is_equal else "no")
        )
        observed.append((fraction, count / flat, sigma / flat))
        expected.append(hoped / flat)
        checks += [
            Check(
                name=f"{what}: count below {fraction:.3g} K is T K E[min(1, I f/K)]",
                passed=abs(off) < SIGMAS,
                found=f"{count}, expected {hoped:.1f} ({off:+.1f} sigma)",
            ),
            Check(
                name=f"{what}: count below {fraction:.3g} K does not exceed f T",
                passed=above < SIGMAS,
                found=f"{count} of {flat:.1f}",
            ),
        ]
        if is_equal or below:
            checks.append(
                Check(
                    name=f"{what}: count below {fraction:.3g} K is "
                    + ("f T, as K / I_max is larger" if is_equal else "less than f T, as K / I_max is smaller"),
                    passed=abs(above) < SIGMAS if is_equal else above < -SIGMAS,
                    found=f"{count / flat:.4f} of f T",
                )
            )
    x, y, error = (np.array(values) for values in zip(*observed, strict=True))
    return Result(
        checks=tuple(checks),
        tables=(
            Table(
                title=f"{what}: counts below f in T = {total:.0f} / K, largest overlap {sky.largest:.4g}",
                columns=("f / K", "count", "T K E[min(1, I f/K)]", "sigma", "count / (f T)", "f < K / I_max"),
                rows=tuple(rows),
            ),
        ),
        figures=(
            Figure(
                name=f"null-{_slug(what)}",
                caption=f"{what}: how often noise comes below f, over f. At most 1, and 1 below K over the largest overlap.",
                x_label="f / K",
                y_label="count / (f T)",
                log_x=True,
                curves=(
                    Curve(label="T K E[min(1, I f/K)]", x=x, y=np.array(expected)),
                    Curve(label="counted", x=x, y=y, error=error),
                ),
            ),
        ),
    )


def _expected(reference: Floats, fraction: float) -> tuple[float, float]:
    """Return E[min(1, I f/K)] and the variance of that mean.

    Below K over the largest overlap it is f/K, as the mean overlap is 1: so it is written as f/K less what exceeds 1, unless
    the plain mean is the better estimate, as it is for large f.
    """
    plain, excess = np.minimum(1.0, reference * fraction), np.maximum(reference * fraction - 1.0, 0.0)
    n = len(reference)
    if plain.var() < excess.var():
        return float(plain.mean()), float(plain.var()) / n
    return fraction - float(excess.mean()), float(excess.var()) / n


def _transformed(what: str, rates: Floats, noise: _Noise, sky: _Sky, *, least: float, rng: Generator) -> Result:
    """Turn rates into p-values and test whether those are uniform, with what has no rate as an atom at the end."""
    some = rates[:_TRANSFORMED] / noise.rate_hz
    ordered = np.sort(sky.reference)
    sums, n = np.concatenate(([0.0], np.cumsum(ordered))), len(ordered)
    has_none = np.isinf(some)
    first = int(np.searchsorted(ordered, least))
    share = first / n
    with np.errstate(divide="ignore"):
        turning = np.searchsorted(ordered, 1.0 / np.where(has_none, 1.0, some))
    turning = np.maximum(turning, first)
    below = ((sums[turning] - sums[first]) * np.where(has_none, 0.0, some) + (n - turning)) / n
    below = np.where(has_none, 1.0 - share, below)
    atom = np.where(has_none, share, 0.0)
    values = randomised(below, atom, rng)
    chance, plain = ks_probability(values, n_reference=n), ks_probability(below + atom, n_reference=n)
    checks = [
        Check(
            name=f"{what}: p-values are uniform after the randomised probability integral transform",
            passed=chance > THREE_SIGMA / 10,
            found=f"Kolmogorov-Smirnov p = {chance:.3g}, n = {len(some)}, {share:.1%} of them without a rate",
        )
    ]
    if share > 0.05:
        checks.append(
            Check(
                name=f"{what}: the same test refuses p-values that are not randomised",
                passed=plain < THREE_SIGMA / 10,
                found=f"p = {plain:.3g}",
            )
        )
    figure = Figure(
        name=f"pit-{_slug(what)}",
        caption=f"{what}: distribution of p-values minus the uniform one.",
        x_label="p-value",
        y_label="share below, minus p-value",
        curves=pp_curves({"randomised": values, "not randomised": below + atom}),
    )
    return Result(checks=tuple(checks), figures=(figure,))


def _slug(what: str) -> str:
    return what.lower().replace(", maps ", "-").replace("_", "-")


_NOTE = """\
Noise triggers of gravitational waves have false-alarm rates $F_g$ uniform in $(0, F_\\max)$ and come at random beside external
triggers at the rate $R$ of the rules; $K = W R F_\\max$ is the rate of coincidences in time. The maps of both are turned at
random over SO(3); as only the rotation of one relative to the other matters, one stays. The hub's own function makes a joint
rate of each coincidence. In a time $T$ the number below $f$ is $T K\\, E[\\min(1, I f / K)]$, which is $f T$ below $K /
I_\\max$ and less above.

Overlaps of so many rotations are looked up: one map is laid out on pixels of HEALPix order 8 (0.23 deg), which is exact for
maps whose own pixels are no finer; the other becomes some hundred points, the centres of mass of its probability. How far that
is from the exact overlap of maps that are both really made at the turned places is a check of its own below, and it is also
what shows whether the exact overlap is right. The expectation is taken over other rotations than the counts.

A coincidence whose overlap is below the least one of the rules has no rate; its p-value is an atom, drawn uniformly within it.

Two more laws have nothing that cuts them off, so counts below f are $f T$ in every decade. *Searches that answer*: one around
each of some alerts, which come at the rate of the rules and are of any significance, with a uniform probability for its find;
the whole pair is evaluated, with the alerts of the 90 days before to measure from. *Unrelated events of a targeted search*:
noise and real mergers beside triggers up to the search's threshold, and how often those agree as well by chance; which is never
more rarely than noise alone would."""
