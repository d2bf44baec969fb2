"""Raw columns of a public file as those of the local format."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hub.catalogs.reading import Refused
from hub.catalogs.recipes import Recipe
from hub.model.catalog import MAG_BANDS, CatalogKind, DistanceKind
from hub.science.healpix import pixels29

SCHEMA = pa.schema(
    [
        ("_healpix_29", pa.int64()),
        ("id", pa.string()),
        ("name", pa.string()),
        ("kind", pa.string()),
        ("ra_deg", pa.float64()),
        ("dec_deg", pa.float64()),
        ("redshift", pa.float64()),
        ("redshift_err", pa.float32()),
        ("distance_mpc", pa.float64()),
        ("distance_err_mpc", pa.float32()),
        ("distance_kind", pa.string()),
        *[(f"mag_{band}", pa.float32()) for band in MAG_BANDS],
        ("semi_major_arcsec", pa.float32()),
        ("semi_minor_arcsec", pa.float32()),
        ("position_angle_deg", pa.float32()),
        ("reach_arcsec", pa.float32()),
    ]
)
"""Columns of the local format; docs/reference/catalogs.md says what they mean. What is not known is NaN, never null."""

EXTENT = 3.0
"""How many semi-major axes a galaxy reaches: light-curve hosts lie within (docs/reference/catalogs.md)."""

_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"


def table_of(
    raw: Mapping[str, pa.Array], named: Mapping[str, tuple[str, ...]], recipe: Recipe, refused: Refused, first_row: int
) -> pa.Table:
    """Return the rows of a block that can be used, by position; those without a position are counted with their reason.

    Parameters
    ----------
    raw
        Columns of the file.
    named
        Of the hub's columns those of the file.
    recipe
        How it is read.
    refused
        Counts what is set aside.
    first_row
        Number of the block's first row, for rows without an id.
    """
    n_rows = len(next(iter(raw.values())))

    def number(ours: str) -> np.ndarray:
        value = np.full(n_rows, np.nan)
        for theirs in named.get(ours, ()):
            value = np.where(np.isnan(value), _numbers(raw[theirs], recipe), value)
        return value * recipe.scale.get(ours, 1.0)

    def text(ours: str, default: str = "") -> np.ndarray:
        value = np.full(n_rows, "", dtype=object)
        for theirs in named.get(ours, ()):
            value = np.where(value == "", _texts(raw[theirs], recipe), value)
        words = recipe.words.get(ours)
        if words is not None:
            value = np.array([words.get(one.lower(), default) if one else default for one in value.tolist()], dtype=object)
        return np.where(value == "", default, value)

    ra, dec = number("ra"), number("dec")
    is_placed = np.isfinite(ra) & np.isfinite(dec)
    is_on_sky = is_placed & (np.abs(dec) <= 90.0) & (ra >= -360.0) & (ra <= 720.0)
    refused.add("it has no position that can be read", int((~is_placed).sum()))
    refused.add("its position is none on the sky", int((is_placed & ~is_on_sky).sum()))
    redshift, distance = number("redshift"), number("distance")
    redshift[~((redshift > 0.0) & (redshift < 20.0))] = np.nan
    distance[~((distance > 0.0) & (distance < 1e6))] = np.nan
    major, minor = number("semi_major"), number("semi_minor")
    major[~(major > 0.0)] = np.nan
    ratio = number("axis_ratio")
    minor = np.where(np.isnan(minor), major * ratio, minor)
    minor[~((minor > 0.0) & (minor <= major))] = np.nan
    error = number("position_error")
    kinds = _known(text("kind", recipe.kind.value), CatalogKind, recipe.kind.value)
    identity = text("id")
    nameless = np.flatnonzero(identity == "")
    identity[nameless] = [f"row {first_row + row + 1}" for row in nameless.tolist()]
    name = text("name")
    columns = {
        "_healpix_29": pixels29(np.where(is_on_sky, ra, 0.0), np.where(is_on_sky, dec, 0.0)),
        "id": identity,
        "name": np.where(name == "", identity, name),
        "kind": kinds,
        "ra_deg": np.mod(ra, 360.0),
        "dec_deg": dec,
        "redshift": redshift,
        "redshift_err": _positive(number("redshift_err")),
        "distance_mpc": distance,
        "distance_err_mpc": _positive(number("distance_err")),
        "distance_kind": _distance_kinds(text("distance_kind"), redshift, distance, recipe),
        **{f"mag_{band}": _magnitudes(number(f"mag_{band}")) for band in MAG_BANDS},
        "semi_major_arcsec": major,
        "semi_minor_arcsec": minor,
        "position_angle_deg": number("position_angle"),
        "reach_arcsec": np.fmax(np.nan_to_num(EXTENT * major), np.nan_to_num(_positive(error))),
    }
    rows = np.flatnonzero(is_on_sky)
    rows = rows[np.lexsort((columns["id"][rows], columns["_healpix_29"][rows]))]
    return pa.table([pa.array(columns[one.name][rows], one.type) for one in SCHEMA], schema=SCHEMA)


def _numbers(values: pa.Array, recipe: Recipe) -> np.ndarray:
    if not pa.types.is_string(values.type):
        found = values.cast(pa.float64()).fill_null(np.nan)
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.float64)
    is_number = pc.match_substring_regex(values, _NUMBER).fill_null(False)
    clean = pc.utf8_trim_whitespace(pc.if_else(is_number, values, pa.scalar(None, pa.string())))
    return np.asarray(clean.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _texts(values: pa.Array, recipe: Recipe) -> np.ndarray:
    if not pa.types.is_string(values.type):
        values = values.cast(pa.string())
    # Tables made by Python programs write the bytes of a name as b'NGC4993'.
    bare = pc.replace_substring_regex(pc.utf8_trim_whitespace(values.fill_null("")), r"^b'(.*)'$", r"\1")
    is_null = pc.is_in(bare, pa.array(sorted(recipe.null), pa.string()))
    return np.asarray(pc.if_else(is_null, "", bare).to_numpy(zero_copy_only=False), dtype=object)


def _distance_kinds(said: np.ndarray, redshift: np.ndarray, distance: np.ndarray, recipe: Recipe) -> np.ndarray:
    known = {one.value for one in DistanceKind}
    default = recipe.distance_kind.value
    found = np.array([one if one in known else default for one in said.tolist()], dtype=object)
    found[np.isnan(redshift) & np.isnan(distance)] = DistanceKind.NONE.value
    return found


def _known(values: np.ndarray, kinds: type[CatalogKind], default: str) -> np.ndarray:
    known = {one.value for one in kinds}
    return np.array([one if one in known else default for one in values.tolist()], dtype=object)


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0.0, values, np.nan)


def _magnitudes(values: np.ndarray) -> np.ndarray:
    """Return magnitudes; what no source has is a number that stands for nothing, like -99 or 99.9."""
    return np.where((values > -5.0) & (values < 35.0), values, np.nan)
