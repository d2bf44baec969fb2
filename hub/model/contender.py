"""A candidate as it is weighed against all others of its event: what the weighing asks of it, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.model.coincidence import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """An open candidate among many: some hundred bytes, where one with all that it follows from takes ten thousand."""

    survey: str
    object_id: str
    hypothesis: str
    confirmed: bool
    score: float
    """Log of the ranking statistic, as `Candidate.score`."""

    first_tai_us: int
    """Of the first detection, `Instant.tai_us`."""

    last_tai_us: int
    """Of the last one."""

    background_per_sr: float | None
    """Density of unrelated objects that the term of the sky assumed; None where that term did not speak."""

    terms: Mapping[str, float] = field(default_factory=dict)
    """Scores by statistic, in their order: those that have a value, of those that are asked for."""

    @property
    def name(self) -> str:
        """``SURVEY:ID``."""
        return f"{self.survey}:{self.object_id}"

    @classmethod
    def of(cls, candidate: Candidate) -> "Contender":
        """Return what is weighed of a candidate, with all of its scores."""
        return cls(
            survey=candidate.survey,
            object_id=candidate.object_id,
            hypothesis=candidate.hypothesis,
            confirmed=candidate.confirmed,
            score=candidate.score,
            first_tai_us=candidate.first_detection.tai_us,
            last_tai_us=candidate.last_detection.tai_us,
            background_per_sr=next(
                (one.inputs.get("background_per_sr") for one in candidate.scores if one.statistic == "sky"), None
            ),
            terms={one.statistic: one.value for one in candidate.scores if one.value is not None},
        )
