"""conf/counterparts.toml as types."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from hub.errors import ConfigError
from hub.science.chance import DIMENSIONS, ChancePolicy, LikenessPolicy
from hub.science.posterior import Existence, PosteriorPolicy
from hub.science.worth import WorthPolicy

OTHER = "other"
"""The prior of hypotheses that have none of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterpartPolicy:
    """All of conf/counterparts.toml."""

    version: int
    chance: ChancePolicy
    posterior: PosteriorPolicy
    worth: WorthPolicy

    def existence(self, hypothesis: str) -> Existence:
        """Return the prior of a hypothesis, that of `OTHER` where it has none of its own."""
        return self.posterior.hypotheses.get(hypothesis, self.posterior.hypotheses[OTHER])


def load_counterpart_policy(text: str) -> CounterpartPolicy:
    """Return the policy in a TOML text.

    Raises
    ------
    ConfigError
        A key is missing, unknown or out of range; the sentence names it.
    """
    try:
        data = tomllib.loads(text)
        _check(data, {"version", "chance", "posterior", "worth"}, "")
        return CounterpartPolicy(
            version=int(data["version"]),
            chance=_chance(data["chance"]),
            posterior=_posterior(data["posterior"]),
            worth=_worth(data["worth"]),
        )
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the policy for counterparts is no valid TOML: {error}") from error
    except KeyError as error:
        raise ConfigError(f"policy for counterparts: missing key {error}") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"policy for counterparts: {error}") from error


def _chance(row: Mapping[str, Any]) -> ChancePolicy:
    _check(row, {one.name for one in fields(ChancePolicy)}, " in [chance]")
    pooling = tuple(tuple(names) for names in row["pooling"])
    for names in pooling:
        for name in names:
            if name not in DIMENSIONS:
                raise ValueError(f"pooling: {name!r} is none of {', '.join(DIMENSIONS)}")
    if not pooling:
        raise ValueError("pooling names no way to tell strata apart")
    return ChancePolicy(
        n_time_shifts=_whole(row, "n_time_shifts", 0),
        n_place_shifts=_whole(row, "n_place_shifts", 0),
        place_step_deg=_between(row, "place_step_deg", 0.1, 180.0),
        max_galactic_change_deg=_between(row, "max_galactic_change_deg", 0.0, 90.0),
        max_ecliptic_change_deg=_between(row, "max_ecliptic_change_deg", 0.0, 90.0),
        n_points=_whole(row, "n_points", 1),
        gap_edges_d=_edges(row, "gap_edges_d"),
        depth_edges_ab=_edges(row, "depth_edges_ab"),
        level_edges=_edges(row, "level_edges"),
        min_hull_alerts=_whole(row, "min_hull_alerts", 0),
        look_back_d=_between(row, "look_back_d", 0.0, 1e4),
        pooling=pooling,
        min_exposure_ratio=_between(row, "min_exposure_ratio", 0.0, 1e6),
        typical_dispersion=_between(row, "typical_dispersion", 0.0, 100.0),
        max_unlike=_between(row, "max_unlike", 0.0, 0.99),
        min_off_maps=_whole(row, "min_off_maps", 1),
        max_window_d=_between(row, "max_window_d", 0.01, 400.0),
        max_objects=_whole(row, "max_objects", 1),
        every_min=_between(row, "every_min", 0.0, 1e6),
        seed=_whole(row, "seed", 0),
    )


def _posterior(row: Mapping[str, Any]) -> PosteriorPolicy:
    _check(row, {one.name for one in fields(PosteriorPolicy)} - {"hypotheses"} | {"hypothesis"}, " in [posterior]")
    hypotheses = {name: _existence(name, one) for name, one in row["hypothesis"].items()}
    if OTHER not in hypotheses:
        raise ValueError(f"[posterior.hypothesis.{OTHER}] is missing")
    return PosteriorPolicy(
        selected_by=tuple(row["selected_by"]),
        in_measured_density=tuple(row["in_measured_density"]),
        veto_loss=_between(row, "veto_loss", 0.0, 1.0),
        confirmed_share=_between(row, "confirmed_share", 0.01, 0.99),
        single_background_per_deg2=_between(row, "single_background_per_deg2", 1e-9, 1e6),
        use_configured_background=bool(row["use_configured_background"]),
        n_points=_whole(row, "n_points", 1),
        least_bright=_between(row, "least_bright", 1e-6, 1.0),
        likeness=_likeness(row["likeness"]),
        hypotheses=hypotheses,
    )


def _likeness(row: Mapping[str, Any]) -> LikenessPolicy:
    _check(row, {one.name for one in fields(LikenessPolicy)}, " in [posterior.likeness]")
    return LikenessPolicy(
        prior_alike=_between(row, "prior_alike", 0.0, 1e4),
        least=_between(row, "least", 1e-6, 1.0),
        most_evidence=_between(row, "most_evidence", 0.0, 100.0),
    )


def _worth(row: Mapping[str, Any]) -> WorthPolicy:
    _check(row, {one.name for one in fields(WorthPolicy)}, " in [worth]")
    return WorthPolicy(
        every_min=_between(row, "every_min", 0.0, 1e6),
        max_candidates=_whole(row, "max_candidates", 1),
        probability_step=_between(row, "probability_step", 0.0, 1.0),
        background_step=_between(row, "background_step", 0.0, 10.0),
    )


def _existence(name: str, row: Mapping[str, Any]) -> Existence:
    _check(row, {one.name for one in fields(Existence)}, f" in [posterior.hypothesis.{name}]")
    return Existence(
        prior=_between(row, "prior", 0.0, 1.0),
        conditional=tuple(row.get("conditional", ())),
        classes=tuple(row.get("classes", ())),
        p_astro_unstated=_between(row, "p_astro_unstated", 0.0, 1.0),
        detectable=_between(row, "detectable", 0.0, 1.0),
    )


def _check(row: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = set(row) - known
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r}{where}")


def _between(row: Mapping[str, Any], key: str, low: float, high: float) -> float:
    value = float(row[key])
    if not low <= value <= high:
        raise ValueError(f"{key} must lie between {low:g} and {high:g}")
    return value


def _whole(row: Mapping[str, Any], key: str, low: int) -> int:
    value = row[key]
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ValueError(f"{key} must be a whole number of at least {low}")
    return int(value)


def _edges(row: Mapping[str, Any], key: str) -> tuple[float, ...]:
    edges = tuple(float(one) for one in row[key])
    if list(edges) != sorted(set(edges)):
        raise ValueError(f"{key} must ascend")
    return edges
