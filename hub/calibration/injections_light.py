"""Light curves of injected mergers: kilonovae of radioactive ejecta, and the afterglows of jets seen from any angle.

A kilonova here is the published semi-analytic one: three components of ejecta, each heated by the decay of r-process nuclei,
leaking its light as it expands, and shining as a black body from its photosphere (Villar et al. 2017, ApJL 851, L21, section 4;
Arnett 1982, ApJ 253, 785; Metzger 2019, LRR 23, 1). That is another family than the straight lines of ``conf/families.toml``
which the score expects. Times and colours are those of the source's rest frame, as in `hub.science.families`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hub.calibration.result import Floats

BANDS_NM = (367.0, 482.5, 622.2, 754.5, 869.1, 971.0)
"""Effective wavelengths of u g r i z y, nm (Ivezic et al. 2019, ApJ 873, 111, table 2: middles of the bands)."""

COMPONENTS = (
    # solar masses, velocity over c, opacity in cm2/g, temperature floor in K: Villar et al. 2017, table 2, three components.
    (0.020, 0.266, 0.5, 674.0),
    (0.047, 0.152, 3.0, 1308.0),
    (0.011, 0.137, 10.0, 3745.0),
)
"""Those of AT2017gfo: blue, purple, red."""

MASS_DEX, VELOCITY_DEX = 0.25, 0.08
"""Standard deviations of masses and velocities among mergers: simulations give ejecta of a tenth to three times those of GW170817
(Metzger 2019, section 3.1)."""

JET_RAD = 0.087
"""Half opening angle of jets, five degrees: Fong et al. 2015, ApJ 815, 102 find medians from 3 to 16."""

ON_AXIS_R_ABS, ON_AXIS_SPREAD, ON_AXIS_SLOPE = -19.8, 1.5, 1.1
"""Afterglows of short bursts one day after, AB in r: three magnitudes fainter than long ones (Kann et al. 2011, ApJ 734, 96)."""

OFF_AXIS = (-6.7, 140.0, 0.38)
"""Absolute r at the peak, day of the peak and viewing angle (rad) of GRB 170817A (Lyman et al. 2018, Nat. Astron. 2, 751; Mooley
et al. 2018, Nature 561, 355). At other angles the flux goes as theta^-2p and the time as theta^(8/3) (Nakar, Piran & Granot 2002,
ApJ 579, 699), p = 2.17."""

SPECTRAL_SLOPE = 0.58
"""Afterglow flux falls with frequency as nu^-0.58 (Mooley et al. 2018)."""

TIMES_D: Floats = np.concatenate(([0.0], np.geomspace(1e-3, 40.0, 240)))
"""Where light curves are worked out."""

_SUN_G, _C, _DAY = 1.989e33, 2.998e10, 86_400.0
_SIGMA, _H, _K = 5.6704e-5, 6.6261e-27, 1.3807e-16
_PC10_CM = 3.0857e19
_BETA = 13.4
_AB_NJY = 3631e9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Light:
    """The light of one merger at ten parsecs."""

    flux_njy: Floats
    """By band and time, shape ``(6, len(TIMES_D))``."""

    viewing_rad: float

    def at(self, t_d: Floats, band: np.ndarray[tuple[int], np.dtype[np.int64]], distance_mpc: float) -> Floats:
        """Return the flux at times after the merger in bands by their place in ``ugrizy``, nJy."""
        found = np.zeros(len(t_d))
        for number in range(len(BANDS_NM)):
            own = band == number
            found[own] = np.interp(t_d[own], TIMES_D, self.flux_njy[number], left=0.0)
        return np.asarray(np.where(t_d > 0.0, found, 0.0) * (1e-5 / distance_mpc) ** 2)


def draw(rng: Generator) -> Light:
    """Return the light of a merger from the population that gravitational waves select."""
    angle = _viewing_angle(rng)
    masses, velocities = rng.normal(0.0, MASS_DEX, 3), rng.normal(0.0, VELOCITY_DEX, 3)
    components = [
        (mass * 10.0**dm, min(0.5, velocity * 10.0**dv), opacity, floor)
        for (mass, velocity, opacity, floor), dm, dv in zip(COMPONENTS, masses, velocities, strict=True)
    ]
    afterglow = _afterglow(angle, float(rng.normal(0.0, ON_AXIS_SPREAD)))
    return Light(flux_njy=kilonova(components, angle) + afterglow, viewing_rad=angle)


def kilonova(components: list[tuple[float, float, float, float]], viewing_rad: float) -> Floats:
    """Return the flux of a kilonova at ten parsecs, nJy, shape ``(6, len(TIMES_D))``.

    Parameters
    ----------
    components
        As `COMPONENTS`. The first, thrown towards the poles, is half as bright from the side.
    viewing_rad
        Angle from the axis.
    """
    total = np.zeros((len(BANDS_NM), len(TIMES_D)))
    for number, (mass, velocity, opacity, floor) in enumerate(components):
        luminosity = _luminosity(mass, velocity, opacity)
        seen = 0.5 + 0.5 * abs(math.cos(viewing_rad)) if number == 0 else 1.0
        total += seen * _black_body(luminosity, velocity, floor)
    return total


def _luminosity(mass: float, velocity: float, opacity: float) -> Floats:
    """Return the luminosity in erg/s at `TIMES_D`: what decay gives, delayed by diffusion (Arnett 1982)."""
    t_s = TIMES_D * _DAY
    diffusion_s = math.sqrt(2.0 * opacity * mass * _SUN_G / (_BETA * velocity * _C * _C))
    middle = 0.5 * (t_s[1:] + t_s[:-1])
    heating = 4e18 * (0.5 - np.arctan((middle - 1.3) / 0.11) / np.pi) ** 1.3  # Korobkin et al. 2012, MNRAS 426, 1940
    days = middle / _DAY
    term = 2.0 * 0.17 * days**0.74
    thermal = 0.36 * (np.exp(-0.56 * days) + np.log1p(term) / term)  # Barnes et al. 2016, ApJ 829, 110, table 1
    source = mass * _SUN_G * heating * thermal
    kept = np.exp(-(t_s[1:] ** 2 - t_s[:-1] ** 2) / diffusion_s**2)
    found = np.zeros(len(t_s))
    for k in range(len(middle)):
        found[k + 1] = found[k] * kept[k] + source[k] * (1.0 - kept[k])
    return found


def _black_body(luminosity: Floats, velocity: float, floor: float) -> Floats:
    t_s = np.maximum(TIMES_D, 1e-3) * _DAY
    radius = velocity * _C * t_s
    temperature = (luminosity / (4.0 * np.pi * _SIGMA * radius**2)) ** 0.25
    is_cold = temperature < floor
    temperature = np.where(is_cold, floor, temperature)
    radius = np.where(is_cold, np.sqrt(luminosity / (4.0 * np.pi * _SIGMA * floor**4)), radius)
    found = np.zeros((len(BANDS_NM), len(t_s)))
    for number, nm in enumerate(BANDS_NM):
        frequency = _C / (nm * 1e-7)
        x = np.minimum(_H * frequency / (_K * temperature), 500.0)
        intensity = 2.0 * _H * frequency**3 / _C**2 / np.expm1(x)
        found[number] = np.pi * intensity * (radius / _PC10_CM) ** 2 * 1e32  # 1 nJy is 1e-32 erg/s/cm2/Hz
    found[:, TIMES_D <= 0.0] = 0.0
    return found


def _afterglow(viewing_rad: float, offset_mag: float) -> Floats:
    """Return the afterglow at ten parsecs, nJy: a power law inside the jet, rise and fall outside of it."""
    t = np.maximum(TIMES_D, 1e-3)
    if viewing_rad <= JET_RAD:
        r = _AB_NJY * 10.0 ** (-0.4 * (ON_AXIS_R_ABS + offset_mag)) * t**-ON_AXIS_SLOPE
    else:
        peak_abs, peak_d, angle = OFF_AXIS
        ratio = viewing_rad / angle
        peak = _AB_NJY * 10.0 ** (-0.4 * (peak_abs + offset_mag)) * ratio ** (-2.0 * 2.17)
        when = peak_d * max(1e-3, (viewing_rad - JET_RAD) / (angle - JET_RAD)) ** (8.0 / 3.0)
        r = peak * 2.0 / ((t / when) ** -0.8 + (t / when) ** 2.0)
    colour = (np.array(BANDS_NM) / BANDS_NM[2]) ** SPECTRAL_SLOPE
    found = colour[:, None] * r[None, :]
    found[:, TIMES_D <= 0.0] = 0.0
    return np.asarray(found)


def _viewing_angle(rng: Generator) -> float:
    """Return an inclination of detected mergers (Schutz 2011, CQG 28, 125023, equation 28), folded to 0 to 90 degrees."""
    while True:
        cosine = rng.uniform(0.0, 1.0)
        if rng.random() < ((1.0 + 6.0 * cosine**2 + cosine**4) / 8.0) ** 1.5:
            return math.acos(cosine)
