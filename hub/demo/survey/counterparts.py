"""Kilonovae that are put into each night where the telescope looks, so that there is something to find."""

from dataclasses import dataclass

import numpy as np

from hub.demo.survey.chance import mix, state_of, uniform
from hub.demo.survey.light_curves import COUNTERPART, FIRST_NIGHT
from hub.demo.survey.schedule import WIDE, Schedule, galactic_latitude_deg, hours_of, sidereal_deg
from hub.demo.survey.settings import Simulation

REFERENCE_MPC = 40.0
"""Distance of AT2017gfo (Hjorth et al. 2017, ApJL 848, L31)."""

_SUBJECT, _TARGET = 201, 202


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterpart:
    """One kilonova."""

    night: int
    """The night that it was put into."""

    index: int
    name: str
    ra_deg: float
    dec_deg: float
    t0_mjd_tai: float
    """Time of the merger."""

    distance_mpc: float
    is_target: bool
    """Whether the night has target-of-opportunity visits around it."""

    @property
    def key(self) -> np.uint64:
        """Its state; another in each world, because its place is part of it."""
        return state_of(COUNTERPART, self.night, self.index, int(self.ra_deg * 1e9))

    @property
    def scale(self) -> float:
        """Brightness in units of AT2017gfo."""
        return (REFERENCE_MPC / self.distance_mpc) ** 2


def target_of(seed: int, night: int, simulation: Simulation) -> tuple[float, float] | None:
    """Return where the first counterpart of a night is: somewhere that is high in that night, outside the Milky Way."""
    if simulation.counterparts.per_night == 0:
        return None
    begin, end = hours_of(night, simulation.survey.longitude_deg)
    state = state_of(seed, _TARGET, night)
    for attempt in range(100):
        own = np.uint64(mix(state, attempt))
        moment = begin + (end - begin) * (0.2 + 0.6 * uniform(np.uint64(mix(own, 1))))
        ra = float(sidereal_deg(moment, simulation.survey.longitude_deg))
        dec = -60.0 + 60.0 * uniform(np.uint64(mix(own, 2)))
        if abs(galactic_latitude_deg(np.array([ra]), np.array([dec]))[0]) > simulation.survey.galactic_gap_deg + 5.0:
            return ra, dec
    return None


def counterparts_of(seed: int, night: int, simulation: Simulation, visits: Schedule) -> list[Counterpart]:
    """Return the counterparts of a night: the first is its target of opportunity, the others lie in fields of the wide survey."""
    chosen = simulation.counterparts
    target = target_of(seed, night, simulation)
    wide = np.flatnonzero(visits.programme == WIDE)
    made = []
    for index in range(chosen.per_night):
        state = state_of(seed, _SUBJECT, night, index)
        draw = [uniform(np.uint64(mix(state, k))) for k in range(6)]
        if index == 0 and target is not None:
            ra, dec = target
        elif len(wide):
            visit = wide[int(draw[0] * len(wide))]
            dec = float(visits.dec_deg[visit]) + 1.6 * draw[1] - 0.8
            ra = (float(visits.ra_deg[visit]) + (1.6 * draw[2] - 0.8) / np.cos(np.radians(dec))) % 360.0
        else:
            continue
        near, far = chosen.distance_mpc
        youngest, oldest = chosen.age_days
        t0 = hours_of(night, simulation.survey.longitude_deg)[0] - youngest - (oldest - youngest) * draw[4]
        date = np.datetime_as_string((np.datetime64("1858-11-17") + int(t0)).astype("datetime64[D]")).replace("-", "")[2:]
        made.append(
            Counterpart(
                night=night,
                index=index,
                name=f"S{date}sim{night - FIRST_NIGHT}{'abcdefghijklmnopqrstuvwxyz'[index % 26]}",
                ra_deg=float(ra),
                dec_deg=float(dec),
                t0_mjd_tai=float(t0),
                distance_mpc=float((near**3 + draw[3] * (far**3 - near**3)) ** (1 / 3)),
                is_target=index == 0 and target is not None,
            )
        )
    return made
