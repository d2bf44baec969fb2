"""One localization as the sky index keeps it: the rows inside its search region, 24 bytes each, 48 with distances.

A row's pixel is one number, its *zuniq* (the name is that of CDS's HEALPix library): ``2 * lo + 4**(29 - order)``. The lowest bit
that is set tells the order; with ``2 p + 1`` for a pixel ``p`` of order 29, a tile holds the pixel where
``|2 p + 1 - zuniq| < 4**(29 - order)``, and disjoint tiles ascend by zuniq as by place.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hub.model.sky import Skymap
from hub.science.healpix import MAX_ORDER, Floats, Int64s, area_sr, order_of_ranges
from hub.science.levels import Levels2D
from hub.science.place_levels import PlaceLevels

CELL_ORDER = 6
"""Finest cells of the index, 0.92 deg. Tiles of lower order are filed under the cell that they are, finer ones by the run."""

ROW = np.dtype([("zuniq", np.int64), ("probdensity", np.float64), ("searched_prob", np.float64)])
"""What the index knows of a tile: place, density in 1/sr, inclusive level."""


def n_cells(order: int = CELL_ORDER) -> int:
    """Return the number of cells of all orders up to one; a cell's number is its UNIQ less 4."""
    return (16 << (2 * order)) - 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SkyPiece:
    """The rows of one map that a search up to a level can meet. Made once for each content and level, shared by all snapshots."""

    localization_id: str
    """Content address of the map."""

    max_level: float
    """A row is in where the probability searched before it is below this, so the row that crosses the level is in, too; the same
    rows as `hub.science.crossmatch.contains` accepts."""

    rows: NDArray[np.void]
    """Of type `ROW`, shape ``(n,)``, ascending and disjoint, read-only."""

    layers: Floats | None
    """Distmu, distsigma (Mpc) and distnorm (1/Mpc^2) of each row, shape ``(n, 3)``, C order; None in 2D."""

    cells: NDArray[np.int32]
    """Cell of each run of rows that share one, shape ``(m,)``."""

    firsts: NDArray[np.int32]
    """First row of each run, and at the end the number of rows: shape ``(m + 1,)``."""

    def __post_init__(self) -> None:
        for column in (self.rows, self.layers, self.cells, self.firsts):
            if column is not None:
                column.setflags(write=False)

    @classmethod
    def of(cls, localization_id: str, skymap: Skymap, max_level: float, levels: Levels2D | None = None) -> Self:
        """Prepare a map.

        Parameters
        ----------
        localization_id
            Content address of the map.
        skymap
            Any mix of orders.
        max_level
            Highest level that any search will ask for; 1 or more keeps every row.
        levels
            The map's levels where they are there already; otherwise they are computed, one sort of the map's rows.
        """
        table = Levels2D.of(skymap) if levels is None else levels
        inside = table.searched_prob - table.probdensity * area_sr(table.lo, table.hi) < max_level
        lo, hi = table.lo[inside], table.hi[inside]
        rows = np.empty(len(lo), dtype=ROW)
        rows["zuniq"] = lo + hi  # hi = lo + 4**(29 - order)
        rows["probdensity"] = table.probdensity[inside]
        rows["searched_prob"] = table.searched_prob[inside]
        cell = cells_of(lo, hi)
        firsts = np.flatnonzero(np.concatenate((np.ones(min(len(cell), 1), dtype=bool), cell[1:] != cell[:-1])))
        return cls(
            localization_id=localization_id,
            max_level=max_level,
            rows=rows,
            layers=_layers(skymap, inside),
            cells=cell[firsts].astype(np.int32),
            firsts=np.append(firsts, len(lo)).astype(np.int32),
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lo(self) -> Int64s:
        """First order-29 pixel of each row."""
        zuniq = self.rows["zuniq"]
        return np.asarray((zuniq - _widths(zuniq)) >> 1, dtype=np.int64)

    @property
    def hi(self) -> Int64s:
        """One past the last order-29 pixel of each row."""
        zuniq = self.rows["zuniq"]
        return np.asarray((zuniq + _widths(zuniq)) >> 1, dtype=np.int64)

    def holding(self, pixels: Int64s) -> PlaceLevels | None:
        """Return the rows that hold some order-29 pixels, as the whole map has them; None where any pixel lies in no row.

        So who asks about a few places inside the search region needs no more of the map.
        """
        zuniq = self.rows["zuniq"]
        if not len(zuniq):
            return None
        asked = 2 * pixels + 1
        behind = np.searchsorted(zuniq, asked)  # the row lies beside the place where its pixel would be among the rows
        found = np.full(len(pixels), -1)
        for index in (np.minimum(behind, len(zuniq) - 1), np.maximum(behind - 1, 0)):
            found = np.where(np.abs(asked - zuniq[index]) < _widths(zuniq[index]), index, found)
        if (found < 0).any():
            return None
        rows = self.rows[np.unique(found)]
        width = _widths(rows["zuniq"])
        return PlaceLevels(
            lo=(rows["zuniq"] - width) >> 1,
            hi=(rows["zuniq"] + width) >> 1,
            probdensity=np.ascontiguousarray(rows["probdensity"]),
            searched_prob=np.ascontiguousarray(rows["searched_prob"]),
        )

    @property
    def nbytes(self) -> int:
        """Memory of the columns, bytes."""
        columns: tuple[NDArray[Any] | None, ...] = (self.rows, self.layers, self.cells, self.firsts)
        return sum(column.nbytes for column in columns if column is not None)


def _widths(zuniq: Int64s) -> Int64s:
    """Return how many order-29 pixels rows have."""
    return np.asarray(zuniq & -zuniq, dtype=np.int64)


def cells_of(lo: Int64s, hi: Int64s) -> Int64s:
    """Return the cell of each interval that is one pixel: the pixel itself, or the cell of `CELL_ORDER` around a finer one."""
    order = np.minimum(order_of_ranges(lo, hi), CELL_ORDER)
    return np.asarray((np.int64(4) << (2 * order)) - 4 + (lo >> (2 * (MAX_ORDER - order))), dtype=np.int64)


def _layers(skymap: Skymap, inside: NDArray[np.bool_]) -> Floats | None:
    if skymap.distmu is None or skymap.distsigma is None or skymap.distnorm is None:
        return None
    return np.ascontiguousarray(np.column_stack([layer[inside] for layer in (skymap.distmu, skymap.distsigma, skymap.distnorm)]))
