"""The shape of what differs between two versions of an event."""

from pydantic import ConfigDict, Field

from hub.api.wire import Wire


class Change(Wire):
    """One thing that differs."""

    what: str = Field(
        description="area50_deg2, area90_deg2, dist_mean_mpc, dist_std_mpc, far_hz, p_astro, event_class, classification.NAME, "
        "t0, state, position"
    )
    before: float | str | None
    after: float | str | None
    change: float | None = Field(description="After minus before; of t0 in seconds, of a position the angle in degrees")
    ratio: float | None = Field(description="After divided by before, of areas and false-alarm rates")


class PairOverlap(Wire):
    """The overlap integral of the event with the other member of a pair."""

    coincidence_id: str
    other: str
    state: str = Field(description="Of the pair now")
    before: float | None = Field(description="1 where a map says nothing about a place, null where one of the two has none")
    after: float | None
    before_reason: str | None = Field(description="Why two places could not be compared; null where they could")
    after_reason: str | None


class Move(Wire):
    """A candidate among the first ten of either version whose rank or score changed."""

    survey: str
    object_id: str
    hypothesis: str
    rank_before: int | None = Field(description="Among the open candidates, from 1; null where it is not open")
    rank_after: int | None
    score_before: float | None
    score_after: float | None
    term: str | None = Field(description="The statistic whose share of the score changed most")
    term_before: float | None
    term_after: float | None
    reason: str


class Differences(Wire):
    """What differs between two versions of an event."""

    event_id: str
    from_: int = Field(alias="from")
    to: int
    changes: list[Change]
    overlaps: list[PairOverlap]
    moves: list[Move]
    not_judged: int = Field(description="Candidates whose alerts are not in the archive any more, left out of the moves")
    basis: str = Field(description="What both versions were computed with")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "event_id": "S190425z",
                    "from": 1,
                    "to": 2,
                    "changes": [
                        {"what": "area90_deg2", "before": 10183.0, "after": 7461.0, "change": -2722.0, "ratio": 0.7327},
                        {"what": "dist_mean_mpc", "before": 155.0, "after": 156.0, "change": 1.0, "ratio": None},
                    ],
                    "overlaps": [],
                    "moves": [],
                    "not_judged": 0,
                    "basis": "Scores are not stored by version of an event ...",
                }
            ]
        }
    )
