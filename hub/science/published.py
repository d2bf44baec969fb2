"""Coincidences that somebody else published, beside ours: taken as what they are, with source and how far ours is away."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.model.coincidence import Score
from hub.model.event import Event
from hub.model.joint_rates import JointFar, JointRates

_CLASSIC = {
    "gcn_notice_id": "external_gcn_notice_id",
    "ivorn": "external_ivorn",
    "observatory": "external_observatory",
    "search": "external_search",
    "time_difference_s": "external_time_difference_s",
    "time_coincidence_far_hz": "external_time_coincidence_far_hz",
    "time_sky_position_coincidence_far_hz": "external_time_sky_position_coincidence_far_hz",
}
"""Facts of an external coincidence, and the properties that VOEvents of LVK have them under."""

_PROBABILITIES = ("pval_generic", "pval_bayesian")
"""What a search around an event of gravitational waves states for its find."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What others say of a pair."""

    scores: tuple[Score, ...] = ()
    words: tuple[str, ...] = ()


def external_coincidence(event: Event) -> Mapping[str, Any] | None:
    """Return the coincidence with another observatory's event that an alert states, in either format; None without one."""
    stated = event.properties.get("external_coinc")
    if isinstance(stated, Mapping):
        return stated
    found = {name: value for name, theirs in _CLASSIC.items() if (value := event.properties.get(theirs)) is not None}
    return found or None


def published(first: Event, second: Event, ours: JointRates) -> Published:
    """Return what the members of a pair say of each other."""
    scores: list[Score] = []
    words: list[str] = []
    for one, other in ((first, second), (second, first)):
        stated = external_coincidence(one)
        if stated is not None and _is_meant(stated, other):
            for name, key, own in (
                ("joint_far_time_only", "time_coincidence_far_hz", ours.time_only),
                ("joint_far", "time_sky_position_coincidence_far_hz", ours.spacetime),
            ):
                scores += _of_rate(name, stated.get(key), own, one.mission, str(stated.get("search") or ""), words)
        if {other.event_id, *other.aliases} & set(one.depends_on):
            for name in _PROBABILITIES:
                value = one.properties.get(name)
                if isinstance(value, int | float):
                    inputs = {"source": one.mission, "event_id": one.event_id}
                    scores.append(Score(statistic=f"published_{name}", version=1, value=float(value), unit="1", inputs=inputs))
                    words.append(f"{one.mission} published {name} = {value:g} for {other.event_id}")
    return Published(scores=tuple(scores), words=tuple(words))


def _of_rate(  # noqa: PLR0917 - what is said of a rate
    name: str, stated: Any, own: JointFar, source: str, search: str, words: list[str]
) -> list[Score]:
    if not isinstance(stated, int | float) or isinstance(stated, bool) or not stated >= 0.0:
        return []
    inputs = {"source": source, "search": search}
    found = [Score(statistic=f"published_{name}", version=1, value=float(stated), unit="Hz", inputs=inputs)]
    if own.value_hz is not None and stated > 0.0:
        both = {"ours_hz": own.value_hz, "published_hz": float(stated), "source": source}
        ratio = own.value_hz / float(stated)
        found.append(Score(statistic=f"published_{name}_ratio", version=1, value=ratio, unit="1", inputs=both))
        words.append(f"{source} published {name} = {stated:.3g} Hz; ours is {own.value_hz:.3g} Hz, {ratio:.3g} times that")
    else:
        words.append(f"{source} published {name} = {stated:.3g} Hz; ours has none: {own.reason}")
    return found


def _is_meant(stated: Mapping[str, Any], event: Event) -> bool:
    """Tell whether a published coincidence is with an event: by the ivorn of a notice, or its number at that observatory."""
    ivorns = {version.stored.notice.ivorn for version in event.versions} - {None}
    number = str(stated.get("gcn_notice_id") or "")
    names = {event.event_id, *event.aliases}
    return stated.get("ivorn") in ivorns or (bool(number) and bool(names & {number, f"{stated.get('observatory')}-{number}"}))
