"""The catalogues that the hub of a simulated world has: what its survey detected a year before, and what others know.

They are written as a file of one's own and taken in by `hub.catalogs.writing.add`, as `mmhub catalog add` does; what they say of
candidates is said by `hub.services.hosting`, as in a hub that runs.
"""

import csv
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hub import resources
from hub.calibration import known_kernels as kernels
from hub.calibration.injections_mergers import Merger
from hub.calibration.known_rules import KnownRules, PublicCatalog, load_known_rules
from hub.calibration.nights import Background, Nights
from hub.calibration.nights_kernels import by_tile
from hub.catalogs.recipes import recipes
from hub.catalogs.searching import Catalogs
from hub.catalogs.writing import add
from hub.demo.survey.night import visits_of
from hub.demo.survey.schedule import is_lost, join, night_schedule
from hub.model.catalog import CatalogKind
from hub.science.healpix import Floats, Int64s
from hub.science.host_rules import load_host_rules
from hub.services.catalogued import Catalogued

CHUNK_NIGHTS = 60
"""Nights whose visits are in memory at once."""

NEAR_DEG = 5.0 / 3600.0
"""Entries of objects that are no candidates matter beside a counterpart only, so far from it."""

_AB_ZERO = 31.4
_MOST_NEAR = 64
_PUBLIC_SALT = 7700


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entries:
    """Rows of a catalogue to be, columns of shape ``(n,)``."""

    kind: NDArray[np.str_]
    ra_deg: Floats
    dec_deg: Floats

    def __len__(self) -> int:
        return len(self.kind)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return several as one."""
        return cls(
            kind=np.concatenate([one.kind for one in parts]),
            ra_deg=np.concatenate([one.ra_deg for one in parts]),
            dec_deg=np.concatenate([one.dec_deg for one in parts]),
        )


def shipped() -> KnownRules:
    """Return the rules of conf/calibration.toml."""
    return load_known_rules(resources.read_text("conf/calibration.toml"))


def entries(sky: Nights, seed: int, objects: Int64s, rules: KnownRules) -> Entries:
    """Return what catalogues hold of some objects.

    Parameters
    ----------
    sky
        The nights, which tell where those before begin.
    seed
        Of the world.
    objects
        Ids, in any order.
    rules
        Which catalogues there are.
    """
    ordered = np.unique(objects)
    return Entries.joined(
        [_own(sky, seed, ordered, rules), *(_public(sky, ordered, one, n) for n, one in enumerate(rules.public))]
    )


def worth_asking(background: Background, mjd: Floats, gap_s: float) -> Int64s:
    """Return the ids of objects that may be confirmed: two good detections so far apart; others are ranked apart.

    Parameters
    ----------
    background
        Detections.
    mjd
        Time of each.
    gap_s
        As `hub.science.hypotheses.Confirmation` has it.
    """
    good = (background.flux_njy > 0.0) & (background.reliability >= 0.5)
    names, number = np.unique(background.object[good], return_inverse=True)
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    np.minimum.at(low, number, mjd[good])
    np.maximum.at(high, number, mjd[good])
    return np.asarray(names[(high - low) * 86_400.0 >= gap_s - 1e-3])


def beside(sky: Nights, mergers: Sequence[Merger]) -> Int64s:
    """Return the ids of lasting objects that lie by chance beside counterparts."""
    found, out = [], np.zeros(_MOST_NEAR, dtype=np.int64)
    for one in mergers:
        n = kernels.lasting_near(sky.world, one.ra_deg, one.dec_deg, NEAR_DEG, out)
        found.append(out[:n].copy())
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)


def opened(known: Entries, stack: ExitStack) -> Catalogued | None:
    """Return the look-up of a hub that has taken in a catalogue of some entries; None where there are none.

    Parameters
    ----------
    known
        The entries.
    stack
        Takes the files away in the end.
    """
    if not len(known):
        return None
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mmhub-known-")))
    table = folder / "known.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "kind", "ra", "dec"))
        columns = (known.kind.tolist(), known.ra_deg.tolist(), known.dec_deg.tolist())
        writer.writerows(
            (f"K{n}", kind, f"{ra:.8f}", f"{dec:.8f}") for n, (kind, ra, dec) in enumerate(zip(*columns, strict=True))
        )
    add(table, recipes()["generic"], folder / "catalogs", "known")
    return Catalogued(Catalogs(folder / "catalogs"), load_host_rules(resources.read_text("conf/hosts.toml")))


def _own(sky: Nights, seed: int, objects: Int64s, rules: KnownRules) -> Entries:
    """Return what the survey's own images of the nights before have shown often enough."""
    own, first = rules.own, int(sky.plan.night[: sky.n_survey].min())
    nights, latest = np.zeros(len(objects), dtype=np.int64), np.full(len(objects), -1, dtype=np.int64)
    place = np.zeros((len(objects), 3))
    for begin in range(first - own.nights, first, CHUNK_NIGHTS):
        parts = [
            night_schedule(seed, night, sky.simulation)
            for night in range(begin, min(first, begin + CHUNK_NIGHTS))
            if not is_lost(seed, night, sky.simulation)
        ]
        if not parts:
            continue
        visits = visits_of(seed, join(parts))
        visible = by_tile(visits, 0, len(visits.night), sky.survey.offset)
        kernels.note_detections(sky.world, visits, visible, objects, own.least_reliability, nights, latest, place)
    known = np.flatnonzero(nights >= own.least_nights)
    true = np.zeros((len(known), 2))
    kernels.places_of(sky.world, objects[known], true)
    return Entries(
        kind=np.full(len(known), CatalogKind.VARIABLE.value),
        ra_deg=(true[:, 0] + place[known, 1] / place[known, 0]) % 360.0,
        dec_deg=true[:, 1] + place[known, 2] / place[known, 0],
    )


def _public(sky: Nights, objects: Int64s, rule: PublicCatalog, number: int) -> Entries:
    """Return what a catalogue of others holds."""
    holds, place = np.zeros(len(objects), dtype=np.bool_), np.zeros((len(objects), 2))
    kernels.draw_public(
        sky.world,
        objects,
        rule.of,
        _PUBLIC_SALT + number,
        10.0 ** (0.4 * (_AB_ZERO - rule.faintest_mag)),
        rule.least_amplitude,
        rule.share,
        rule.amplitude,
        rule.amplitude_dex,
        rule.position_error_arcsec / 3600.0,
        holds,
        place,
    )
    return Entries(kind=np.full(int(holds.sum()), rule.kind.value), ra_deg=place[holds, 0], dec_deg=place[holds, 1])
