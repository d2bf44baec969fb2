"""Objects of several surveys that are one transient: one of them is announced, the others are its aliases."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy.orm import Session

from hub.model.coincidence import Candidate
from hub.science.crossmatch import first_detection_us
from hub.science.light_curves import LightCurves
from hub.science.small_cone import cells_around_all, cells_of
from hub.science.transients import ALIAS_ARCSEC, first_of, transients_of
from hub.storage import object_places
from hub.storage.object_places import ObjectPlace

ROUNDS = 4
"""How often objects around objects are looked for: a transient is known to some surveys only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Twins:
    """Which objects are one."""

    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of each object that has others, all names of the transient, sorted; its own among them."""

    first_tai_us: Mapping[str, int] = field(default_factory=dict)
    """When each was first detected."""

    ever: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """As `members`, with objects whose detections are not their own any more: what was said of them goes on with the others."""

    def others(self, name: str) -> tuple[str, ...]:
        """Return the other names of a transient."""
        return tuple(one for one in self.members.get(name, ()) if one != name)

    def taken_over(self, name: str) -> tuple[str, ...]:
        """Return the other names under which a transient may have been announced before."""
        return tuple(one for one in self.ever.get(name, ()) if one != name)

    def stands_behind(self, name: str, worthy: Collection[str]) -> str | None:
        """Return the object of the same transient that stands in the place of this one; None where it stands for itself."""
        among = [(self.first_tai_us[one], one) for one in self.members.get(name, ()) if one in worthy]
        first = first_of(among) if among else name
        return None if first == name else first


NO_TWINS = Twins()


def place_all(session: Session, found: Iterable[Candidate], past: Mapping[str, LightCurves]) -> None:
    """Write where the objects of candidates lie, at the place of their first alert, where that is not known."""
    wanted: dict[str, set[str]] = {}
    for one in found:
        wanted.setdefault(one.survey, set()).add(one.object_id)
    places: list[ObjectPlace] = []
    for survey, whole in past.items():
        curves = whole.own()
        rows = np.searchsorted(curves.owner, np.arange(len(curves)))
        first = curves.least(first_detection_us(curves.alerts))
        here = wanted.get(survey, ())
        numbers = np.array([number for number, object_id in enumerate(curves.names) if object_id in here], dtype=np.int64)
        if not len(numbers):
            continue
        ra, dec = curves.alerts.ra_deg[rows[numbers]], curves.alerts.dec_deg[rows[numbers]]
        columns = (numbers, cells_of(ra, dec), ra, dec, first[numbers])
        places += [
            ObjectPlace(
                survey=survey,
                object_id=curves.names[number],
                cell=cell,
                ra_deg=ra_deg,
                dec_deg=dec_deg,
                first_tai_us=first_us,
            )
            for number, cell, ra_deg, dec_deg, first_us in zip(*(column.tolist() for column in columns), strict=True)
        ]
    if not places:
        return
    known = set(object_places.of_ids(session, {one.object_id for one in places}))
    new = [one for one in places if one not in known]
    if new:
        object_places.save(session, new)


def near(session: Session, names: Collection[str]) -> dict[str, ObjectPlace]:
    """Return those of some objects, ``SURVEY:ID``, that may be one with objects of other surveys, and these; by name."""
    if not object_places.are_of_several_surveys(session):
        return {}
    wanted = set(names)
    latest = [one for one in object_places.of_ids(session, {name.partition(":")[2] for name in wanted}) if one.name in wanted]
    known = {one.name: one for one in latest}
    for _ in range(ROUNDS):
        if not latest:
            break
        latest = [one for one in object_places.in_cells(session, _cells(latest)) if one.name not in known]
        known |= {one.name: one for one in latest}
    together = twins_of(known.values()).members
    return {name: one for name, one in known.items() if name in together}


def twins_of(places: Iterable[ObjectPlace]) -> Twins:
    """Return which of some objects are one."""
    known = list(places)
    if len({one.survey for one in known}) < 2:
        return NO_TWINS
    members: dict[str, tuple[str, ...]] = {}
    for group in _near_groups(known):
        for transient in transients_of({one.name: (one.ra_deg, one.dec_deg) for one in group}):
            if len(transient) > 1:
                members |= dict.fromkeys(transient, transient)
    return Twins(members=members, first_tai_us={one.name: one.first_tai_us for one in known}, ever=members)


def _cells(places: Sequence[ObjectPlace]) -> set[int]:
    ra, dec = np.array([one.ra_deg for one in places]), np.array([one.dec_deg for one in places])
    return set(cells_around_all(ra, dec, ALIAS_ARCSEC)[1].tolist())


def _near_groups(places: Sequence[ObjectPlace]) -> list[list[ObjectPlace]]:
    """Return sets of objects that share cells, so that pairs are compared in small sets only."""
    ordered = sorted(places)
    ra, dec = np.array([one.ra_deg for one in ordered]), np.array([one.dec_deg for one in ordered])
    owner, cells = cells_around_all(ra, dec, ALIAS_ARCSEC)
    root = list(range(len(ordered)))

    def top(number: int) -> int:
        while root[number] != number:
            number = root[number]
        return number

    first_in: dict[int, int] = {}
    for number, cell in zip(owner.tolist(), cells.tolist(), strict=True):
        other = first_in.setdefault(cell, number)
        low, high = sorted((top(other), top(number)))
        root[high] = low
    groups: dict[int, list[ObjectPlace]] = {}
    for number, one in enumerate(ordered):
        groups.setdefault(top(number), []).append(one)
    return [group for group in groups.values() if len(group) > 1]
