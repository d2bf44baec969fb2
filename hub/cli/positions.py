"""A CSV file of positions, each row checked on its own: one bad row does not spoil the others."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from hub.cli.files import refuse_pipes
from hub.errors import InvalidRequest

MAX_ROWS = 5_000_000
"""A file with more rows is refused; the hits of all rows are held in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One row of the file."""

    row: int
    """Number of the row among the data rows, from 0."""

    ra_deg: float | None
    """Right ascension, ICRS, degrees; None where it is no finite number."""

    dec_deg: float | None
    """Declination, ICRS, degrees; None where it is no finite number."""

    distance_mpc: float | None = None
    """Luminosity distance; None where the row has none."""

    reason: str | None = None
    """Why the row cannot be used, one sentence; None where it can."""


def read_positions(path: Path) -> list[Position]:
    """Return the rows of a CSV file with the columns ``ra``, ``dec`` and perhaps ``distance_mpc``; empty lines do not count.

    Raises
    ------
    InvalidRequest
        The file cannot be read as such a table; a bad row alone only gets a reason.
    """
    try:
        refuse_pipes(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            columns = _columns(next(lines, []), path)
            rows: list[Position] = []
            for cells in lines:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(rows) == MAX_ROWS:
                    raise InvalidRequest(f"{path} has more than {MAX_ROWS} rows")
                rows.append(_position(len(rows), {name: cells[i] if i < len(cells) else "" for name, i in columns.items()}))
            return rows
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest(f"{path} is no CSV file in UTF-8: {error}") from error


def _columns(head: list[str], path: Path) -> dict[str, int]:
    names = [name.strip().lower() for name in head]
    for name in ("ra", "dec"):
        if name not in names:
            raise InvalidRequest(
                f"{path} has no column {name}: its first line must name the columns ra, dec and perhaps distance_mpc"
            )
    for name in ("ra", "dec", "distance_mpc"):
        if names.count(name) > 1:
            raise InvalidRequest(f"{path} has the column {name} more than once")
    return {name: names.index(name) for name in ("ra", "dec", "distance_mpc") if name in names}


def _position(row: int, cells: dict[str, str]) -> Position:
    ra, dec = _number(cells["ra"]), _number(cells["dec"])
    distance = _number(cells.get("distance_mpc", ""))
    reason = None
    if ra is None or not 0 <= ra <= 360:
        reason = f"ra {_quoted(cells['ra'])} is no number of degrees from 0 to 360"
    elif dec is None or not -90 <= dec <= 90:
        reason = f"dec {_quoted(cells['dec'])} is no number of degrees from -90 to 90"
    elif cells.get("distance_mpc", "").strip() and (distance is None or distance <= 0):
        reason = f"distance_mpc {_quoted(cells['distance_mpc'])} is no positive number"
    return Position(row=row, ra_deg=ra, dec_deg=dec, distance_mpc=distance, reason=reason)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _quoted(text: str) -> str:
    return repr(text.strip()[:40])
