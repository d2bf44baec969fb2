"""Two numbers that always go together: how often noise alone would do this, and how often unrelated real events would."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from hub.model.coincidence import Score

NOISE = "joint_far"
"""Statistic: the joint false-alarm rate in time and place."""

NOISE_BY_TIME = "joint_far_time_only"
"""Statistic: the same by time only."""

CHANCE = "random_association"
"""Statistic: the rate at which unrelated real events agree as well, in time and, where both have one, in place."""

CHANCE_BY_TIME = "random_association_time_only"
"""Statistic: the same by time only."""

_PARTNERS = {NOISE: (CHANCE,), NOISE_BY_TIME: (CHANCE, CHANCE_BY_TIME)}
"""With which other numbers a false-alarm rate may be shown: one of them must be there."""

WITHHELD = "the rate at which unrelated real events agree is not known, and without it the false-alarm rate is not told"
"""Why a false-alarm rate is not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointFar:
    """A rate or the reason for which there is none."""

    value_hz: float | None
    reason: str
    """Why there is no number, or how it was computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointRates:
    """How often noise alone would do this, beside how often unrelated real events would.

    Raises
    ------
    ValueError
        A false-alarm rate is there and the rate of unrelated real events is not: `together` makes it from what there is.
    """

    time_only: JointFar
    """Of noise, by time."""

    spacetime: JointFar
    """Of noise, by time and place."""

    random_association: JointFar
    """Of unrelated real events, by time and, where both have one, by place."""

    random_association_time_only: JointFar
    """Of unrelated real events, by time."""

    rate_hz: float | None = None
    """Of external triggers, as used; None where it is not stored."""

    def __post_init__(self) -> None:
        by_place, by_time = self.random_association.value_hz is not None, self.random_association_time_only.value_hz is not None
        if self.spacetime.value_hz is not None and not by_place:
            raise ValueError("a joint false-alarm rate without the rate of unrelated real events")
        if self.time_only.value_hz is not None and not (by_place or by_time):
            raise ValueError("a joint false-alarm rate by time without the rate of unrelated real events")

    @classmethod
    def together(
        cls,
        *,
        time_only: JointFar,
        spacetime: JointFar,
        random_association: JointFar,
        random_association_time_only: JointFar,
        rate_hz: float | None = None,
    ) -> Self:
        """Return the numbers; a false-alarm rate whose partner is not known is withheld, with that reason."""
        by_place, by_time = random_association.value_hz is not None, random_association_time_only.value_hz is not None
        withheld = JointFar(value_hz=None, reason=WITHHELD)
        return cls(
            time_only=withheld if time_only.value_hz is not None and not (by_place or by_time) else time_only,
            spacetime=withheld if spacetime.value_hz is not None and not by_place else spacetime,
            random_association=random_association,
            random_association_time_only=random_association_time_only,
            rate_hz=rate_hz,
        )

    @property
    def noise_hz(self) -> float | None:
        """The false-alarm rate: in time and place, else by time."""
        return self.time_only.value_hz if self.spacetime.value_hz is None else self.spacetime.value_hz

    @property
    def chance_hz(self) -> float | None:
        """The rate of unrelated real events that goes with it."""
        by_place = self.random_association.value_hz
        return self.random_association_time_only.value_hz if by_place is None else by_place

    @property
    def larger_hz(self) -> float | None:
        """The larger of both, which is how often this would be wrong; None where one of them is not known."""
        return None if self.noise_hz is None or self.chance_hz is None else max(self.noise_hz, self.chance_hz)


def larger_hz(noise: JointFar, chance: JointFar) -> float | None:
    """Return the larger of the two numbers of one kind; None where one of them is not known."""
    return None if noise.value_hz is None or chance.value_hz is None else max(noise.value_hz, chance.value_hz)


def rates_of(scores: "Iterable[Score]") -> JointRates | None:
    """Return the two numbers among some scores; None where there is no such statistic."""
    known = {score.statistic: score for score in scores}
    if not known.keys() & {NOISE, NOISE_BY_TIME, CHANCE, CHANCE_BY_TIME}:
        return None
    return JointRates.together(
        time_only=_far(known.get(NOISE_BY_TIME)),
        spacetime=_far(known.get(NOISE)),
        random_association=_far(known.get(CHANCE)),
        random_association_time_only=_far(known.get(CHANCE_BY_TIME)),
    )


def shown(scores: "Iterable[Score]") -> "tuple[Score, ...]":
    """Return scores as they may leave the hub: a false-alarm rate only beside the rate of unrelated real events."""
    listed = tuple(scores)
    known = {score.statistic for score in listed if score.value is not None}
    return tuple(
        replace(score, value=None, inputs={**score.inputs, "reason": WITHHELD})
        if score.value is not None and not known.intersection(_PARTNERS.get(score.statistic, (score.statistic,)))
        else score
        for score in listed
    )


def _far(score: "Score | None") -> JointFar:
    if score is None:
        return JointFar(value_hz=None, reason="not stored")
    return JointFar(value_hz=score.value, reason=str(score.inputs.get("reason", "")))
