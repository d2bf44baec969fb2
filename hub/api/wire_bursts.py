"""The shapes of bursts that several missions saw, and of what persons say about them."""

from pydantic import ConfigDict, Field

from hub.api.wire import Time, Wire


class BurstMember(Wire):
    """One mission's event of a burst."""

    event_id: str
    mission: str
    event_class: str
    t0: Time | None
    duration_s: float | None = Field(description="As the mission states it")
    localization_id: str | None


class BurstLink(Wire):
    """Why two events are held for one burst."""

    first: str
    second: str
    kind: str = Field(description="person, name, citation, time_and_place or time")
    reason: str
    word: int | None = Field(description="Number of the person's word that it rests upon")


class Burst(Wire):
    """One burst with the events of all missions that saw it."""

    source_id: str = Field(description="Id of its earliest event")
    missions: list[str]
    t0: Time | None
    duration_s: float | None
    aliases: list[str]
    localization_id: str | None = Field(
        description="Combined of those of its events that are independent and agree, else the smallest"
    )
    localization_origin: str = Field(description="Whose localizations it is made of, and why others are left out")
    combined_ids: list[str] = Field(description="Ids of the localizations that are combined; empty where none are")
    is_live: bool
    members: list[BurstMember] = Field(description="The earliest first")
    links: list[BurstLink] = Field(description="The strongest first; without any one of them it would fall apart")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "source_id": "Fermi-524666471",
                    "missions": ["Fermi", "INTEGRAL"],
                    "t0": "2017-08-17T12:41:06.470000Z",
                    "duration_s": 2.0,
                    "aliases": ["GRB 170817A"],
                    "localization_id": None,
                    "localization_origin": "no member has a place",
                    "combined_ids": [],
                    "is_live": True,
                    "members": [
                        {
                            "event_id": "Fermi-524666471",
                            "mission": "Fermi",
                            "event_class": "grb",
                            "t0": "2017-08-17T12:41:06.470000Z",
                            "duration_s": 2.0,
                            "localization_id": None,
                        },
                        {
                            "event_id": "INTEGRAL-7889",
                            "mission": "INTEGRAL",
                            "event_class": "grb",
                            "t0": "2017-08-17T12:41:06.900000Z",
                            "duration_s": None,
                            "localization_id": None,
                        },
                    ],
                    "links": [
                        {
                            "first": "Fermi-524666471",
                            "second": "INTEGRAL-7889",
                            "kind": "time",
                            "reason": "INTEGRAL-7889 came +0.430 s after Fermi-524666471, within 5.7 s of both clocks",
                            "word": None,
                        }
                    ],
                }
            ]
        }
    )


class Word(Wire):
    """What a person said about two events."""

    word: int
    kind: str = Field(description="join or split")
    events: list[str]
    by: str
    at: Time
    because: str
    holds: bool = Field(description="False once it was taken back; the newest of contradicting words counts")
    undone_by: str | None
    undone_at: Time | None
    undone_because: str | None


class BurstWithWords(Burst):
    """A burst with all that persons said about its events."""

    version: int = Field(description="Of the burst; 0 where it never had a second event")
    words: list[Word]


class BurstVersion(Burst):
    """What a burst was after one change."""

    version: int
    created_at: Time
    change: str


class Answer(Word):
    """A word, and what the events are part of with it."""

    sources: list[BurstWithWords]


class Because(Wire):
    """Why somebody says so."""

    because: str = Field(min_length=1, max_length=2000)


class About(Because):
    """What somebody says about an event and another one."""

    other: str = Field(min_length=1, max_length=200, description="The other event, by any of its names")
