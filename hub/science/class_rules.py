"""The table of classes, conf/classes.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.errors import ConfigError
from hub.science.event_names import name_key


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRules:
    """What classes say of objects; the file says what each number is."""

    radius_arcsec: float
    range: tuple[float, float]
    weights: Mapping[str, float]
    """By source in small letters; ``default`` for others."""

    ignored: Mapping[str, frozenset[str]]
    """Words that say nothing where a source uses them."""

    groups: Mapping[str, tuple[str, ...]]
    """Beginnings of words by group, in the order in which they are tried."""

    effect: Mapping[str, Mapping[str, float]]
    """By the beginning of a hypothesis' name, and group."""

    def group_of(self, source: str, name: str) -> str | None:
        """Return the group of a class as a source calls it, None where it says nothing."""
        key = name_key(name)
        if key in self.ignored.get(source.lower(), ()):
            return None
        return next((group for group, words in self.groups.items() if key.startswith(words)), None) if key else None

    def weight_of(self, source: str) -> float:
        """Return what a statement of a source weighs."""
        return self.weights.get(source.lower(), self.weights["default"])

    def effects_on(self, hypothesis: str) -> Mapping[str, float]:
        """Return the log of the likelihood ratio by group; none where the table has no such hypothesis."""
        fitting = [name for name in self.effect if hypothesis.startswith(name)]
        return self.effect[max(fitting, key=len)] if fitting else {}


def load_class_rules(text: str) -> ClassRules:
    """Return the rules in a TOML text; raises `ConfigError`."""
    try:
        data: Mapping[str, Any] = tomllib.loads(text)
        low, high = (float(one) for one in data["range"])
        rules = ClassRules(
            radius_arcsec=float(data["radius_arcsec"]),
            range=(low, high),
            weights={name.lower(): float(value) for name, value in data["weights"].items()},
            ignored={name.lower(): frozenset(words) for name, words in data["ignored"].items()},
            groups={name: tuple(words) for name, words in data["groups"].items()},
            effect={name: {group: float(value) for group, value in row.items()} for name, row in data["effect"].items()},
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"conf/classes.toml: {error}") from error
    unknown = {group for row in rules.effect.values() for group in row} - set(rules.groups)
    if unknown:
        raise ConfigError(f"conf/classes.toml: an effect names the group {min(unknown)!r}, which has no words")
    if "default" not in rules.weights or not low < 0.0 < high:
        raise ConfigError("conf/classes.toml: weights has a default, and the range holds 0")
    return rules
