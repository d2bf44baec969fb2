"""The shapes of the API's answers, for the OpenAPI document and the tests that hold `hub.services.bodies` to them."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")

Time = str
"""UTC, ISO 8601 with six decimals and ``Z``."""


class Wire(BaseModel):
    """Base of all shapes: nothing that is not declared, no NaN."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class PageLinks(Wire):
    """Where a page stands in its listing."""

    self: str
    next: str | None = Field(description="Path of the next page, null on the last one")


class Page(Wire, Generic[T]):
    """A page of a listing."""

    data: list[T]
    links: PageLinks


class One(Wire, Generic[T]):
    """One resource."""

    data: T
    links: dict[str, str]


class Whole(Wire, Generic[T]):
    """A short listing that comes whole."""

    data: list[T]
    links: dict[str, str]


class Searched(Whole[T]):
    """A short listing of what was found, where it was searched for."""

    not_searched: str | None = Field(description="Why nothing was searched, so that the listing is empty; null where it was")


class SkymapNumbers(Wire):
    """The few numbers of a sky map."""

    n_tiles: int
    area50_deg2: float = Field(description="Smallest area that holds 50 % of the probability, square degrees")
    area90_deg2: float = Field(description="Smallest area that holds 90 % of the probability, square degrees")
    peak_ra_deg: float
    peak_dec_deg: float
    covered_fraction: float = Field(description="Fraction of the sphere inside the map's pixels")
    dist_mean_mpc: float | None = None
    dist_std_mpc: float | None = None


class Position(Wire):
    """A position as stated; null where there is none."""

    ra_deg: float | None = Field(description="Right ascension, ICRS, degrees")
    dec_deg: float | None = Field(description="Declination, ICRS, degrees")
    radius_deg: float | None
    containment: float | None = Field(description="Probability inside the radius, null where unknown")
    systematic_included: bool | None


class Annotation(Wire):
    """What somebody says about an event, an object or a place."""

    annotation_id: str
    target_kind: str = Field(description="event, object or position")
    target_id: str
    kind: str = Field(description="classification, redshift, position, name, host or candidate")
    value: dict[str, Any]
    source: str = Field(description="TNS, gcn-circular, or the name of a broker")
    source_ref: str = Field(description="Of what of that source: an object there, a circular's number, an alert")
    version: str
    stated_at: Time | None
    received_at: Time
    state: str = Field(description="stated by its source; proposed out of free text, then accepted or rejected by a person")
    is_current: bool = Field(description="False where a newer version of the same thing has been heard")
    ra_deg: float | None
    dec_deg: float | None
    provenance: dict[str, Any] = Field(description="Of a proposal: circular, version, first and last character, quoted line")
    decided_by: str | None
    decided_at: Time | None
    note: str

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "annotation_id": "000000000000000000000000",
                    "target_kind": "position",
                    "target_id": "AT 2017gfo",
                    "kind": "redshift",
                    "value": {"z": 0.0098},
                    "source": "TNS",
                    "source_ref": "2017gfo",
                    "version": "2017-08-18 12:00:00",
                    "stated_at": "2017-08-18T12:00:00.000000Z",
                    "received_at": "2017-08-18T13:00:00.000000Z",
                    "state": "stated",
                    "is_current": True,
                    "ra_deg": 197.4504,
                    "dec_deg": -23.3815,
                    "provenance": {},
                    "decided_by": None,
                    "decided_at": None,
                    "note": "",
                }
            ]
        }
    )


class Decision(Wire):
    """What a person decided about a proposal."""

    state: str
    by: str
    at: Time
    note: str


class DecisionReason(Wire):
    """Why somebody decides so."""

    note: str = Field(default="", max_length=2000)


class AnnotationWithDecisions(Annotation):
    """An annotation with every decision about it, the first one first."""

    decisions: list[Decision]


class Circular(Wire):
    """A circular without its text, in its newest version."""

    circular_id: int
    version: int
    subject: str
    submitter: str | None
    created_at: Time | None
    edited_at: Time | None
    edited_by: str | None
    bibcode: str | None
    event_name: str | None = Field(description="As the archive derived it")
    event_ids: list[str] = Field(description="Events of this hub that it is about")
    format: str
    n_characters: int
    is_latest: bool
    is_trusted: bool
    received_at: Time
    raw_sha256: str

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "circular_id": 40001,
                    "version": 1,
                    "subject": "GRB 260301A: nothing seen",
                    "submitter": "A. Nobody at Nowhere",
                    "created_at": "2026-03-01T01:53:20.000000Z",
                    "edited_at": None,
                    "edited_by": None,
                    "bibcode": None,
                    "event_name": "GRB 260301A",
                    "event_ids": ["Fermi-794023391"],
                    "format": "text/plain",
                    "n_characters": 26,
                    "is_latest": True,
                    "is_trusted": True,
                    "received_at": "2026-03-01T01:53:25.000000Z",
                    "raw_sha256": "0000000000000000000000000000000000000000000000000000000000000000",
                }
            ]
        }
    )


class CircularWithText(Circular):
    """One version of a circular; its text is a stranger's, to be shown as text and never as markup."""

    body: str


class BurstOfEvent(Wire):
    """The burst that an event is part of, see /bursts."""

    source_id: str
    others: list[str] = Field(description="The other events of it, the earliest first")
    missions: list[str]


class Event(Position):
    """One event as one observatory sees it now."""

    event_id: str
    aliases: list[str]
    messenger: str
    mission: str
    event_class: str
    role: str
    stage: str
    state: str
    significance: str = Field(description="The observatory's own grade: significant, low, sub_threshold or unstated")
    is_live: bool = Field(description="False for tests, mocks and whatever came from an untrusted source")
    t0: Time | None
    far_hz: float | None = Field(description="False-alarm rate, 1/s")
    p_astro: float | None
    classification: dict[str, float | None]
    properties: dict[str, Any]
    vetoes: list[str]
    depends_on: list[str]
    n_versions: int
    localization_id: str | None
    skymap: SkymapNumbers | None
    annotations: list[Annotation] = Field(description="Stated or accepted; proposals are at /annotations")
    burst: BurstOfEvent | None = Field(
        description="The burst that other missions saw too; null where no other event is part of it"
    )
    not_searched: str | None = Field(
        description="Why no counterparts of it are searched, so that it has no candidates; null where they are"
    )

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "event_id": "S170817a",
                    "aliases": ["GW170817"],
                    "messenger": "gw",
                    "mission": "LVK",
                    "event_class": "cbc",
                    "role": "observation",
                    "stage": "update",
                    "state": "active",
                    "significance": "significant",
                    "is_live": True,
                    "t0": "2017-08-17T12:41:04.400000Z",
                    "ra_deg": None,
                    "dec_deg": None,
                    "radius_deg": None,
                    "containment": None,
                    "systematic_included": None,
                    "far_hz": 3.5e-13,
                    "p_astro": None,
                    "classification": {"BNS": 1.0, "Terrestrial": 0.0},
                    "properties": {"significant": True},
                    "vetoes": [],
                    "depends_on": [],
                    "n_versions": 3,
                    "localization_id": "00000000000000000000000000000000",
                    "skymap": None,
                    "annotations": [],
                    "burst": None,
                    "not_searched": None,
                }
            ]
        }
    )


class Citation(Wire):
    """A reference to another VOEvent."""

    ivorn: str
    kind: str


class FetchedMap(Wire):
    """A map that the hub fetched because a notice names its address."""

    url: str
    fetched_at: Time
    sha256: str = Field(description="Of the file as it came")
    localization_id: str
    remarks: list[str]


class Version(Position):
    """One notice of an event, in order of issue."""

    event_id: str
    version: int
    notice_id: str
    ivorn: str | None
    format: str
    stream: str
    mission: str
    instrument: str | None
    role: str
    stage: str
    event_class: str
    t0: Time | None
    issued_at: Time | None
    received_at: Time
    far_hz: float | None
    p_astro: float | None
    classification: dict[str, float | None]
    properties: dict[str, Any]
    vetoes: list[str]
    cites: list[Citation]
    significance: str
    is_live: bool
    is_trusted: bool
    raw_sha256: str
    skymap_url: str | None = Field(description="As the notice names it")
    fetched_map: FetchedMap | None = Field(description="What the hub found there, where it may look")
    localization_id: str | None
    remarks: list[str]


class Localization(SkymapNumbers):
    """A localization without its map; the map is at ``.fits`` and ``.moc.json``."""

    localization_id: str
    source: str
    has_distance: bool
    remarks: list[str]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "localization_id": "00000000000000000000000000000000",
                    "source": "skymap",
                    "n_tiles": 19968,
                    "area50_deg2": 4.1,
                    "area90_deg2": 16.2,
                    "peak_ra_deg": 197.4,
                    "peak_dec_deg": -23.4,
                    "covered_fraction": 1.0,
                    "dist_mean_mpc": 40.0,
                    "dist_std_mpc": 8.0,
                    "has_distance": True,
                    "remarks": [],
                }
            ]
        }
    )


class Member(Wire):
    """A member of a coincidence."""

    kind: str
    id: str


class Score(Wire):
    """One number with what it was computed from."""

    statistic: str
    version: int
    value: float | None
    unit: str
    inputs: dict[str, Any]


class Coincidence(Wire):
    """One version of a pair that belongs together."""

    coincidence_id: str
    kind: str
    hypothesis: str
    members: list[Member]
    state: str
    version: int
    is_live: bool
    held_back: bool = Field(description="Whether it is open and yet not announced")
    held_back_reason: str | None = Field(description="Why it is not announced: the share of the budget and what it would spend")
    t0: Time | None
    created_at: Time
    joint_far_hz: float | None = Field(description="How often noise alone would do this, in time and place")
    joint_far_time_only_hz: float | None = Field(description="The same by time only")
    random_association_hz: float | None = Field(description="How often unrelated real events would do this")
    level: float | None = Field(description="Probability level of the object in the localization, 0 at its peak")
    score: float | None = Field(description="Rank statistic, larger is better")
    expected_unrelated: float | None = Field(description="Unrelated objects an event that are expected to do as well")
    scores: list[Score]
    reasons: list[str]
    localization_ids: list[str]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "coincidence_id": "0123456789abcdef0123",
                    "kind": "gw-grb",
                    "hypothesis": "gw-grb",
                    "members": [{"kind": "event", "id": "Fermi-524666471"}, {"kind": "event", "id": "S170817a"}],
                    "state": "open",
                    "version": 2,
                    "is_live": True,
                    "held_back": False,
                    "held_back_reason": None,
                    "t0": "2017-08-17T12:41:04.400000Z",
                    "created_at": "2017-08-17T13:21:00.000000Z",
                    "joint_far_hz": 2.1e-17,
                    "joint_far_time_only_hz": 1.5e-16,
                    "random_association_hz": 1.1e-10,
                    "level": None,
                    "score": None,
                    "expected_unrelated": None,
                    "scores": [{"statistic": "overlap", "version": 1, "value": 7.1, "unit": "1", "inputs": {}}],
                    "reasons": ["the burst came 1.7 s after the merger"],
                    "localization_ids": [],
                }
            ]
        }
    )


class Host(Wire):
    """A galaxy that may be the host of a candidate."""

    name: str
    catalogue: str
    separation_arcsec: float
    mag_r: float = Field(description="Stated, or from another band")
    chance: float = Field(description="Probability that such a galaxy lies so near by chance")
    redshift: float | None = Field(description="That its distance is taken from")
    redshift_err: float | None = Field(description="With the motion of galaxies")
    distance_mpc: float | None
    distance_kind: str


class Candidate(Wire):
    """A survey's object inside an event's localization and window."""

    event_id: str
    survey: str
    object_id: str = Field(description="Text: ids of surveys do not fit a JSON number")
    hypothesis: str
    rank: int | None = Field(description="Place among the open candidates of its event, where it is listed with them")
    state: str
    confirmed: bool = Field(description="At least two detections")
    n_detections: int
    ra_deg: float
    dec_deg: float
    first_detection: Time
    last_detection: Time
    level: float | None
    levels: dict[str, float | None]
    score: float | None
    scores: list[Score]
    reasons: list[str]
    flags: list[str]
    hosts: list[Host] = Field(description="Plausible ones in the catalogues, the least likely by chance first")
    aliases: list[str] = Field(description="The same transient in other surveys, SURVEY:ID")
    annotations: list[Annotation] = Field(description="Stated or accepted, by the object's name or within 3 arcseconds")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "event_id": "S170817a",
                    "survey": "LSST",
                    "object_id": "170123456789012345",
                    "hypothesis": "kilonova",
                    "rank": 1,
                    "state": "open",
                    "confirmed": True,
                    "n_detections": 3,
                    "ra_deg": 197.45,
                    "dec_deg": -23.38,
                    "first_detection": "2017-08-17T23:33:00.000000Z",
                    "last_detection": "2017-08-18T01:05:00.000000Z",
                    "level": 0.41,
                    "levels": {"00000000000000000000000000000000": 0.41},
                    "score": 7.9,
                    "scores": [],
                    "reasons": ["it fades by 0.9 mag/d"],
                    "flags": [],
                    "hosts": [],
                    "aliases": [],
                    "annotations": [],
                }
            ]
        }
    )


class Exposure(Wire):
    """One kind of exposure."""

    filter: str
    seconds: float
    count: int = 1


class Visibility(Wire):
    """Whether and when a site sees the target."""

    site: str
    is_observable: bool
    window_start: Time | None
    window_end: Time | None
    best_airmass: float | None
    reason: str


class Transition(Wire):
    """One step of a request."""

    number: int
    state: str
    at: Time
    remote_id: str | None
    remote_state: str | None = Field(description="The network's own word")
    reason: str
    detail: dict[str, Any]


class Followup(Wire):
    """A request to a telescope network."""

    intent_id: str
    event_id: str
    coincidence_id: str | None
    target: str
    ra_deg: float
    dec_deg: float
    network: str
    instrument: str
    purpose: str
    policy_version: int
    window_start: Time
    window_end: Time
    exposures: list[Exposure]
    max_airmass: float
    why: str
    created_at: Time
    state: str | None
    reason: str
    remote_id: str | None
    remote_state: str | None
    updated_at: Time
    n_transitions: int

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "intent_id": "0123456789abcdef0123456789abcdef",
                    "event_id": "S170817a",
                    "coincidence_id": "0123456789abcdef0123",
                    "target": "LSST:170123456789012345",
                    "ra_deg": 197.45,
                    "dec_deg": -23.38,
                    "network": "simulated",
                    "instrument": "1M0-SIMCAM",
                    "purpose": "kilonova",
                    "policy_version": 1,
                    "window_start": "2017-08-18T01:10:00.000000Z",
                    "window_end": "2017-08-19T01:10:00.000000Z",
                    "exposures": [{"filter": "g", "seconds": 120.0, "count": 1}],
                    "max_airmass": 2.0,
                    "why": "kilonova candidate of S170817a, score 7.90",
                    "created_at": "2017-08-18T01:10:00.000000Z",
                    "state": "accepted",
                    "reason": "",
                    "remote_id": "17",
                    "remote_state": "PENDING",
                    "updated_at": "2017-08-18T01:10:05.000000Z",
                    "n_transitions": 4,
                }
            ]
        }
    )


class FollowupWithHistory(Followup):
    """A request to a telescope network with everything that happened to it."""

    model_config = ConfigDict(json_schema_extra={})  # the example of a request has no history

    visibility: list[Visibility]
    transitions: list[Transition]


class OutgoingMessage(Wire):
    """A message to a destination, in whatever format; its content is at ``/payload``."""

    message_id: str
    ivorn: str = Field(description="The same for every destination and format: receivers tell repeats by it")
    destination: str
    subject: str = Field(description="coincidence, candidate, retraction, or notice for a relayed one")
    key: str = Field(description="Canonical id of the first event")
    role: str
    media_type: str
    cites: list[Citation]
    created_at: Time
    state: str
    tries: int
    due_at: Time = Field(description="Not sent before")
    sent_at: Time | None
    echoed_at: Time | None = Field(description="When it came back to a source that listens to its destination")
    error: str

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "message_id": "12",
                    "ivorn": "ivo://example.org/mmhub/coincidence#0123456789abcdef0123.v2",
                    "destination": "kafka",
                    "subject": "coincidence",
                    "key": "S170817a",
                    "role": "observation",
                    "media_type": "application/json",
                    "cites": [],
                    "created_at": "2017-08-17T13:21:00.000000Z",
                    "state": "sent",
                    "tries": 1,
                    "due_at": "2017-08-17T13:21:00.000000Z",
                    "sent_at": "2017-08-17T13:21:00.500000Z",
                    "echoed_at": "2017-08-17T13:21:00.700000Z",
                    "error": "",
                }
            ]
        }
    )


class RegisteredSchema(BaseModel):
    """An Avro schema as a Confluent registry gives it."""

    schema_: str = Field(alias="schema", description="The schema itself, as a JSON text")


class VOEvent(Wire):
    """A VOEvent that the hub has issued; its XML is at ``.xml``."""

    voevent_id: str
    ivorn: str
    role: str
    media_type: str
    destination: str
    cites: list[Citation]
    created_at: Time
    state: str
    tries: int
    sent_at: Time | None
    error: str

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "voevent_id": "12",
                    "ivorn": "ivo://example.org/mmhub/coincidence#0123456789abcdef0123.v2",
                    "role": "observation",
                    "media_type": "application/xml",
                    "destination": "file",
                    "cites": [{"ivorn": "ivo://example.org/mmhub/coincidence#0123456789abcdef0123.v1", "kind": "supersedes"}],
                    "created_at": "2017-08-18T01:10:00.000000Z",
                    "state": "sent",
                    "tries": 1,
                    "sent_at": "2017-08-18T01:10:01.000000Z",
                    "error": "",
                }
            ]
        }
    )


class AlertStream(Wire):
    """A stream of alerts, and what it leaves out of its survey."""

    name: str
    survey: str
    selection: str
    """``full``, or ``filtered``: then neither rates nor non-detections may be claimed from it."""

    cuts: str
    """In words."""

    filter_name: str | None
    reliability_min: float | None
    snr_min: float | None
    classes: list[str]
    sky: str | None
    delay_s: float | None
    independent_of: list[str]
    """What the filter pays no regard to: ``light curve``, ``brightness``, ``reliability``."""

    not_claimed: list[str]
    tells_past: bool
    """Whether its alerts say when an object was first detected."""

    since: str | None
    """When the hub first listened to it."""


class Source(Wire):
    """The books of one source, in messages: received = stored + duplicates + dead_letters + in_flight."""

    source: str
    received: int
    stored: int
    duplicates: int
    dead_letters: int
    in_flight: int
    law_holds: bool
    alert_stream: AlertStream | None = None
    """The stream map by which its alerts are read; null where it has none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "source": "gcn",
                    "received": 5,
                    "stored": 3,
                    "duplicates": 1,
                    "dead_letters": 1,
                    "in_flight": 0,
                    "law_holds": True,
                }
            ]
        }
    )


class Ready(Wire):
    """That the hub can answer."""

    status: str


class ProblemField(Wire):
    """A wrong field of a request."""

    field: str
    reason: str


class Problem(Wire):
    """Any error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[ProblemField] | None = None
    error_id: str | None = Field(default=None, description="Stands in the hub's log beside the reason")
    scope: str | None = Field(default=None, description="What the token would need")
    notice_id: str | None = Field(default=None, description="The notice that the hub has already")
    event_id: str | None = Field(default=None, description="Its event")
    digest: str | None = Field(default=None, description="SHA-256 of what was refused and kept among the dead letters")


class Submitted(Wire):
    """A message that the hub has taken in; it is durable, what follows from it is being worked out."""

    state: str
    kind: str = Field(description="notice; circular and others for what is kept but is no notice")
    notice_id: str | None
    event_id: str | None
    is_revision: bool = Field(description="The hub has another notice of the same identity, with other bytes")
    is_trusted: bool = Field(description="Whether it may lead to announcements and follow-up")
    digest: str = Field(description="SHA-256 of the body")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "state": "stored",
                    "kind": "notice",
                    "notice_id": "0123456789abcdef0123456789abcdef",
                    "event_id": "Fermi-524666471",
                    "is_revision": False,
                    "is_trusted": False,
                    "digest": "00" * 32,
                }
            ]
        }
    )
