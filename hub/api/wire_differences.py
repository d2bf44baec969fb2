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


class StoredScores(Wire):
    """One version of a coincidence as it was stored."""

    coincidence_version: int
    hypothesis: str
    state: str
    held_back: bool
    created_at: str
    rank: int | None = Field(
        description="Among the open coincidences with objects that were stored then, from 1; null for others"
    )
    scores: dict[str, float | None] = Field(description="Statistic to value: levels, terms, rank, mu, rates, ...")


class StoredChange(Wire):
    """What was stored of one coincidence under the two versions of the event."""

    coincidence_id: str
    others: list[str] = Field(description="Its other members")
    before: StoredScores | None = Field(description="Null where nothing was stored under that version")
    after: StoredScores | None


class Differences(Wire):
    """What differs between two versions of an event."""

    event_id: str
    from_: int = Field(alias="from")
    to: int
    changes: list[Change]
    overlaps: list[PairOverlap]
    moves: list[Move]
    not_judged: int = Field(description="Candidates whose alerts are not in the archive any more, left out of the moves")
    stored: list[StoredChange] = Field(description="Coincidences of which something else was stored under the two versions")
    basis: str = Field(description="Which numbers are recomputed, and with what, and which are stored")

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
                    "stored": [],
                    "basis": "Moves and overlaps are recomputed: ...",
                }
            ]
        }
    )
