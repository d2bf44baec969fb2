"""What the catalogues say of places, looked up for many objects at once and kept in memory."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hub.catalogs.searching import Catalog, Catalogs
from hub.model.catalog import HOST_KINDS, CatalogKind, DistanceKind
from hub.science.alignment import chance_of, r_mags
from hub.science.facts import IN_CATALOGUE
from hub.science.healpix import Floats, Int64s
from hub.science.host_rules import HostRules
from hub.science.hosts import Host, redshifts
from hub.science.small_cone import separation_arcsec

KEPT = 50_000
"""Places whose answer is kept, about half a kilobyte each."""

_HOST_KINDS = [one.value for one in HOST_KINDS]
_NUCLEAR_KINDS = [*_HOST_KINDS, CatalogKind.AGN.value, CatalogKind.BLAZAR.value]
_BEST_FIRST = [
    DistanceKind.REDSHIFT_INDEPENDENT.value,
    DistanceKind.SPECTROSCOPIC.value,
    DistanceKind.PHOTOMETRIC.value,
    DistanceKind.NONE.value,
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the catalogues say of one place."""

    flags: tuple[str, ...] = ()
    """``in agn catalogue``, ``nuclear``, ``host found`` ..., sorted."""

    hosts: tuple[Host, ...] = ()
    """Plausible ones, the least likely by chance first."""

    has_host: bool = False
    """Whether the first of them is known to be one."""


NUCLEAR = "nuclear"
"""Flag of an object at the centre of a galaxy or AGN."""

HOST_FOUND = "host found"
"""Flag of an object whose best host is a known one."""

_NOTHING = Place()


class Catalogued:
    """Asks the catalogues for places; those that were asked for lately are known."""

    def __init__(self, catalogs: Catalogs, rules: HostRules) -> None:
        self._catalogs = catalogs
        self._rules = rules
        self._known: OrderedDict[int, Place] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._catalogs)

    @property
    def rules(self) -> HostRules:
        """By which places are judged."""
        return self._rules

    @property
    def catalogs(self) -> Catalogs:
        """The catalogues themselves."""
        return self._catalogs

    def of(self, pixels: Int64s, ra_deg: Floats, dec_deg: Floats) -> list[Place]:
        """Return what is said of places, in order.

        Parameters
        ----------
        pixels
            Order-29 pixels of the places, by which they are known.
        ra_deg, dec_deg
            The same places, ICRS.
        """
        keys = pixels.tolist()
        new = [number for number, key in enumerate(keys) if key not in self._known]
        if new:
            for number, place in zip(new, self._looked_up(ra_deg[new], dec_deg[new]), strict=True):
                self._known[keys[number]] = place
        found = [self._known[key] for key in keys]
        for key in keys:
            self._known.move_to_end(key)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return found

    def _looked_up(self, ra_deg: Floats, dec_deg: Floats) -> list[Place]:
        flags: list[set[str]] = [set() for _ in range(len(ra_deg))]
        hosts: list[list[tuple[float, float, Host]]] = [[] for _ in range(len(ra_deg))]
        for catalog in self._catalogs.all:
            self._ask(catalog, ra_deg, dec_deg, flags, hosts)
        return [self._place(of_place, near) for of_place, near in zip(flags, hosts, strict=True)]

    def _ask(
        self,
        catalog: Catalog,
        ra_deg: Floats,
        dec_deg: Floats,
        flags: list[set[str]],
        hosts: list[list[tuple[float, float, Host]]],
    ) -> None:
        rules = self._rules
        has_hosts = bool(set(catalog.info.kinds) & set(HOST_KINDS))
        hits = catalog.near(ra_deg, dec_deg, rules.radius_arcsec if has_hosts else max(rules.match_arcsec, rules.nuclear_arcsec))
        if not len(hits):
            return
        entries, apart, owner = hits.entries, hits.separation_arcsec, hits.place.tolist()
        is_host = np.isin(entries.kind, _HOST_KINDS)
        is_galaxy = entries.kind == CatalogKind.GALAXY.value
        belongs = ~is_galaxy & (apart <= np.maximum(rules.match_arcsec, entries.reach_arcsec))
        is_centre = (apart <= rules.nuclear_arcsec) & np.isin(entries.kind, _NUCLEAR_KINDS)
        chance = chance_of(ra_deg[hits.place], dec_deg[hits.place], apart, entries, rules)
        z, z_err = redshifts(entries, rules)
        distance = np.where(np.isnan(z), np.nan, rules.cosmology.distance_mpc(np.nan_to_num(z)))
        mags = r_mags(entries, rules)
        plausible = is_host & (chance <= rules.max_chance)
        for row in np.flatnonzero(belongs | is_centre | plausible).tolist():
            if belongs[row]:
                flags[owner[row]].update(IN_CATALOGUE.format(kind) for kind in _also(str(entries.kind[row])))
            if is_centre[row]:
                flags[owner[row]].add(NUCLEAR)
            if plausible[row]:
                host = Host(
                    name=str(entries.name[row]),
                    catalogue=catalog.info.name,
                    separation_arcsec=round(float(apart[row]), 3),
                    mag_r=round(float(mags[row]), 3),
                    chance=float(chance[row]),
                    redshift=_known(z[row]),
                    redshift_err=_known(z_err[row]),
                    distance_mpc=_known(distance[row]),
                    distance_kind=str(entries.distance_kind[row]) if np.isfinite(z[row]) else DistanceKind.NONE.value,
                )
                hosts[owner[row]].append((float(entries.ra_deg[row]), float(entries.dec_deg[row]), host))

    def _place(self, flags: set[str], near: Sequence[tuple[float, float, Host]]) -> Place:
        if not flags and not near:
            return _NOTHING
        hosts = sorted(_distinct(near, self._rules.same_arcsec), key=lambda one: (one.chance, one.name, one.catalogue))
        kept = tuple(hosts[: self._rules.max_hosts])
        has_host = bool(kept) and kept[0].chance <= self._rules.known_host_chance
        return Place(flags=tuple(sorted(flags | ({HOST_FOUND} if has_host else set()))), hosts=kept, has_host=has_host)


def _also(kind: str) -> tuple[str, ...]:
    """Return all kinds that an entry of a kind is of: a blazar is an AGN."""
    return (kind, CatalogKind.AGN.value) if kind == CatalogKind.BLAZAR.value else (kind,)


def _distinct(near: Sequence[tuple[float, float, Host]], same_arcsec: float) -> list[Host]:
    """Return each galaxy once: of entries so near each other that whose distance is best known."""
    ordered = sorted(near, key=lambda one: (_BEST_FIRST.index(one[2].distance_kind), one[2].catalogue, one[2].name))
    kept: list[tuple[float, float, Host]] = []
    for ra, dec, host in ordered:
        if all(separation_arcsec(ra, dec, other_ra, other_dec) > same_arcsec for other_ra, other_dec, _ in kept):
            kept.append((ra, dec, host))
    return [host for _, _, host in kept]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


__all__ = ["HOST_FOUND", "NUCLEAR", "Catalogued", "Place"]
