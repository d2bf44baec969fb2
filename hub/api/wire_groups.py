"""The shapes of groups of events."""

from pydantic import ConfigDict, Field

from hub.api.wire import Score, Time, Wire


class GroupMember(Wire):
    """An event or an object of a group."""

    kind: str = Field(description="event or object")
    id: str
    part: str = Field(description="What it is a view of: the burst, the event, or the object itself")
    what: str = Field(description="gw, grb, neutrino, frb, x-ray, mev-neutrino or optical")
    via: str | None = Field(description="The coincidence by which it belongs here; null for the centre")
    t0: Time | None
    localization_id: str | None


class GroupPair(Wire):
    """A coincidence of events that the group rests upon, or that one of its members lost: listed, never multiplied."""

    coincidence_id: str
    kind: str
    members: list[str]
    joint_far_hz: float | None
    joint_far_time_only_hz: float | None
    random_association_hz: float | None = Field(description="How often unrelated real events would do this")
    held_back: bool
    elsewhere: str = Field(description="Why it does not count here; empty where it does")


class Group(Wire):
    """One version of a group: what may be one occurrence, with one account of all members at once."""

    group_id: str
    centre: str = Field(description="The superevent; without one, the neutrino or burst that all others are tied to")
    kind: str = Field(description="What its members are, e.g. gw+grb+neutrino")
    state: str
    version: int
    is_live: bool
    t0: Time | None
    created_at: Time
    members: list[GroupMember] = Field(description="The centre first, then events by time, then objects")
    events: list[str]
    objects: list[str]
    pairs: list[GroupPair]
    overlap: float | None = Field(description="Of the localizations of all parts at once; 1 means no information")
    bayes_factor: float | None = Field(description="Of one source against unrelated ones: overlap times the terms of the times")
    group_far_hz: float | None = Field(
        description="How often noise alone would make the group; null where no such rate is calibrated"
    )
    group_random_association_hz: float | None = Field(description="How often unrelated real events would")
    scores: list[Score]
    reasons: list[str]
    localization_ids: list[str]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "group_id": "0123456789abcdef0123",
                    "centre": "S170817a",
                    "kind": "gw+grb",
                    "state": "open",
                    "version": 1,
                    "is_live": True,
                    "t0": "2017-08-17T12:41:04.400000Z",
                    "created_at": "2017-08-17T13:21:00.000000Z",
                    "members": [
                        {
                            "kind": "event",
                            "id": "S170817a",
                            "part": "S170817a",
                            "what": "gw",
                            "via": None,
                            "t0": "2017-08-17T12:41:04.400000Z",
                            "localization_id": None,
                        },
                        {
                            "kind": "event",
                            "id": "Fermi-524666471",
                            "part": "Fermi-524666471",
                            "what": "grb",
                            "via": "fedcba98765432100123",
                            "t0": "2017-08-17T12:41:06.470000Z",
                            "localization_id": None,
                        },
                    ],
                    "events": ["S170817a", "Fermi-524666471"],
                    "objects": [],
                    "pairs": [
                        {
                            "coincidence_id": "fedcba98765432100123",
                            "kind": "gw-grb",
                            "members": ["Fermi-524666471", "S170817a"],
                            "joint_far_hz": None,
                            "joint_far_time_only_hz": 2.1e-16,
                            "random_association_hz": 1.1e-10,
                            "held_back": False,
                            "elsewhere": "",
                        }
                    ],
                    "overlap": 1.0,
                    "bayes_factor": 5256000.0,
                    "group_far_hz": None,
                    "group_random_association_hz": None,
                    "scores": [
                        {
                            "statistic": "group_far",
                            "version": 1,
                            "value": None,
                            "unit": "Hz",
                            "inputs": {"reason": "the group is one pair of events, whose rates are its own"},
                        }
                    ],
                    "reasons": ["Fermi-524666471 belongs here by coincidence fedcba98765432100123 (gw-grb)"],
                    "localization_ids": [],
                }
            ]
        }
    )


class ExplainedNumber(Wire):
    """One number with its arithmetic."""

    statistic: str
    value: float | None
    unit: str
    arithmetic: str
    again: float | None = Field(description="Computed from what is stored with it; null where there is nothing to compute")
    agrees: bool | None = Field(description="Whether the stored value is what its inputs give")
    inputs: dict[str, object]
