"""Recipes of conf/catalogs.toml: which column of a public file is which of the hub's."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hub.errors import ConfigError, InvalidRequest
from hub.model.catalog import CatalogKind, Completeness, DistanceKind
from hub.resources import read_text

COLUMNS = (
    "id",
    "name",
    "kind",
    "ra",
    "dec",
    "position_error",
    "redshift",
    "redshift_err",
    "distance",
    "distance_err",
    "distance_kind",
    "mag_b",
    "mag_g",
    "mag_r",
    "mag_i",
    "mag_k",
    "mag_w1",
    "semi_major",
    "semi_minor",
    "axis_ratio",
    "position_angle",
)
"""What a recipe may name columns for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the files of one catalogue are read."""

    name: str
    kind: CatalogKind
    """Of entries of which no column says it."""

    source: str
    columns: Mapping[str, Sequence[str]]
    """Of each of `COLUMNS` those of the file, the first that says something counts."""

    null: frozenset[str]
    """Words that mean nothing."""

    numbers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The same for text without a header, by number from 1."""

    delimiter: str = ""
    """Of text without a header."""

    scale: Mapping[str, float] = field(default_factory=dict)
    """What a column is multiplied by."""

    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What words of a column mean."""

    distance_kind: DistanceKind = DistanceKind.NONE
    """Of entries with a distance or redshift of which no column says it."""

    completeness: Completeness | None = None


def recipes() -> dict[str, Recipe]:
    """Return the recipes that the hub ships, by name.

    Raises
    ------
    ConfigError
        One of them is wrong.
    """
    data = tomllib.loads(read_text("conf/catalogs.toml"))
    null = frozenset(data["null"])
    try:
        found = [_recipe(row, null) for row in data["recipe"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"conf/catalogs.toml: {error}") from error
    return {one.name: one for one in found}


def with_columns(recipe: Recipe, said: str, kind: str | None) -> Recipe:
    """Return a recipe with columns that a person names, ``ra=RAJ2000,dec=DEJ2000``, before its own, and another kind.

    Raises
    ------
    InvalidRequest
        A word makes no sense.
    """
    columns = dict(recipe.columns)
    for word in filter(None, (one.strip() for one in said.split(","))):
        ours, equals, theirs = (part.strip() for part in word.partition("="))
        if not equals or not theirs or ours not in COLUMNS:
            raise InvalidRequest(f"--columns {word}: expected COLUMN=NAME, with COLUMN one of {', '.join(COLUMNS)}")
        columns[ours] = (theirs,)
    if kind is None:
        return replace(recipe, columns=columns)
    try:
        return replace(recipe, columns=columns, kind=CatalogKind(kind))
    except ValueError as error:
        raise InvalidRequest(f"--kind {kind}: expected one of {', '.join(CatalogKind)}") from error


def _recipe(row: Mapping[str, Any], null: frozenset[str]) -> Recipe:
    columns, numbers = ({key: _names(value) for key, value in row.get(name, {}).items()} for name in ("columns", "numbers"))
    unknown = (set(columns) | set(numbers) | set(row.get("scale", {}))) - set(COLUMNS)
    if unknown:
        raise ValueError(f"recipe {row['name']!r} names an unknown column {min(unknown)!r}")
    return Recipe(
        name=row["name"],
        kind=CatalogKind(row["kind"]),
        source=row["source"],
        columns=columns,
        null=null,
        numbers=numbers,
        delimiter=row.get("delimiter", ""),
        scale=row.get("scale", {}),
        words=row.get("words", {}),
        distance_kind=DistanceKind(row.get("distance_kind", "none")),
        completeness=completeness_of(row["completeness"]) if "completeness" in row else None,
    )


def completeness_of(row: Mapping[str, Any]) -> Completeness:
    """Return what a table says; raises `ValueError` where its numbers make no sense."""
    found = Completeness(
        distance_mpc=tuple(map(float, row["distance_mpc"])),
        fraction=tuple(map(float, row["fraction"])),
        latitude_deg=tuple(map(float, row["latitude_deg"])),
        latitude_factor=tuple(map(float, row["latitude_factor"])),
        source=str(row["source"]),
    )
    for places, values in ((found.distance_mpc, found.fraction), (found.latitude_deg, found.latitude_factor)):
        is_ascending = list(places) == sorted(places)
        if len(places) != len(values) or not places or not is_ascending or not all(0.0 <= one <= 1.0 for one in values):
            raise ValueError("a completeness needs ascending places, and of each a fraction between 0 and 1")
    return found


def _names(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)
