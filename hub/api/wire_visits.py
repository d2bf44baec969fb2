"""The shapes of the answers about what surveys searched."""

from pydantic import ConfigDict, Field

from hub.api.wire import PageLinks, Time, Wire


class UnheardPart(Wire):
    """A part of the window of which nothing is known."""

    from_: Time = Field(alias="from")
    to: Time
    reason: str


class SurveyCoverage(Wire):
    """Whether anything can be said of where a survey searched."""

    survey: str
    coverage: str = Field(description="known; partial where a part of the window was not heard in full; unknown where all of it")
    reason: str | None = Field(description="Why it is unknown, null where it is known")
    heard_since: Time | None = Field(description="When the first alert of its full stream came")
    ledger_until: Time | None = Field(
        description="Until when its visits are in the ledger, by the middle of the latest one that came in its turn by any full "
        "stream, of the nights in and around the window. It is not said that the ledger is complete until then, nor that all of "
        "the window was searched: see coverage and unheard"
    )
    unheard: list[UnheardPart] = Field(description="Parts of the window in which it may have searched unknown to the hub")


class Standing(Wire):
    """What an answer rests on."""

    coverage: str = Field(
        description="known; partial: of some of the window nothing is known, see unheard; "
        "unknown: nothing was found out, not that nothing was searched"
    )
    reason: str | None = Field(description="Why it is unknown")
    surveys: list[SurveyCoverage]
    remarks: list[str] = Field(description="What the answer must be read with, one sentence each")


class DetectorVisit(Wire):
    """A detector in a visit."""

    survey: str
    visit: str
    detector: int = Field(description="-1 where the packets do not say")
    mid_at: Time = Field(description="Middle of the exposure")
    band: str
    depth_njy: float | None = Field(description="5 times the median error of the difference flux, nJy")
    depth_ab: float | None = Field(description="The same as AB magnitude")
    footprint: str = Field(description="outline of the detector, hull of its alerts, or none")
    n_alerts: int
    observation_reason: str
    target_name: str
    schema_: str = Field(alias="schema", description="Format and version of the packets")
    reliability_version: str


class BandSearched(Wire):
    """What was searched in one band."""

    band: str
    n_visits: int
    last_at: Time
    deepest_ab: float | None


class SilentVisit(Wire):
    """A visit that looked at the position with a detector that sent no alert."""

    survey: str
    visit: str
    detector: int
    mid_at: Time
    band: str


class PositionCoverage(Standing):
    """When a position was searched, how deep, and in which bands."""

    ra_deg: float
    dec_deg: float
    window_start: Time
    window_end: Time
    band: str | None
    n_visits: int
    n_without_footprint: int = Field(description="Visits near the position that do not tell where all of their camera looked")
    n_without_band: int = Field(description="Visits of the position that do not say their band, where one was asked for")
    last: DetectorVisit | None
    bands: list[BandSearched]
    visits: list[DetectorVisit] = Field(description="The latest first, as many as asked for")
    silent: list[SilentVisit] = Field(
        description="Visits whose detector at the position sent no alert: lost, not processed, or without template; latest first"
    )


class Visit(Wire):
    """A visit: all its detectors together."""

    survey: str
    visit: str
    night: str = Field(description="Date on which the night begins")
    mid_at: Time
    band: str
    depth_njy: float | None = Field(description="Median over the detectors")
    depth_ab: float | None
    n_alerts: int
    n_detectors: int = Field(description="With alerts")
    n_expected: int | None = Field(description="Null where nothing tells how many should have sent alerts")
    expected_by: str | None = Field(description="neighbours: the visits before and after; camera: its list of detectors")
    missing: list[int] = Field(description="Expected and without an alert: lost, not processed, or without a template")
    area_deg2: float = Field(description="Sum over the footprints")
    footprints: dict[str, int] = Field(description="How many are outlines, hulls, or none")
    observation_reason: str
    target_name: str
    schema_: str = Field(alias="schema")
    reliability_version: str


class VisitOfMap(Visit):
    """A visit and what it added to what was searched of a map; the numbers are those of the detectors that count."""

    gain: float = Field(description="Probability of the places that no visit before it searched")
    searched_prob: float = Field(description="Probability searched by it and all before it")


class Programme(Wire):
    """What visits of one purpose added."""

    observation_reason: str
    target_name: str
    n_visits: int
    gain: float = Field(description="Probability of the places that its visits searched first")


class EventCoverage(Standing):
    """What share of an event's map was searched."""

    event_id: str
    localization_id: str
    window_start: Time
    window_end: Time
    depth_ab: float | None = Field(description="Least depth that counts, AB magnitude at 5 sigma")
    band: str | None
    searched_prob: float | None = Field(
        description="Each place counted once; null where the coverage is unknown, and at least so much where it is partial"
    )
    n_visits: int
    n_detectors: int
    n_too_shallow: int = Field(description="Detectors in the window that do not reach the depth")
    n_without_band: int = Field(description="Detectors in the window that do not say their band, where one was asked for")
    n_without_depth: int = Field(description="Detectors in the window that do not say their depth, where one was asked for")
    n_without_footprint: int = Field(description="Detectors with too few alerts to tell where they looked")
    n_incomplete: int = Field(description="Visits with missing detectors")
    programmes: list[Programme]
    visits: list[VisitOfMap] = Field(description="In order of time, as many as asked for")


class VisitPage(Wire):
    """A page of visits, and which surveys can have any."""

    data: list[Visit]
    links: PageLinks
    coverage: list[SurveyCoverage]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "data": [],
                    "links": {"self": "/api/v1/visits", "next": None},
                    "coverage": [
                        {
                            "survey": "LSST",
                            "coverage": "unknown",
                            "reason": "LSST is heard only through filters (fink-lsst): what they left out is not known",
                            "heard_since": None,
                            "ledger_until": None,
                            "unheard": [],
                        }
                    ],
                }
            ]
        }
    )
