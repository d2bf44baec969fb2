"""Every table of the state database, and nothing else.

Times are ``*_tai_us`` (`Instant.tai_us`, 64 bit). A ``document`` column holds a dataclass of `hub.model` as canonical JSON; the
columns beside it repeat what queries need. Rows never leave this package: functions take and return the dataclasses.
"""

import json
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Dialect,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints, so that migrations can speak of each on both engines."""

SEQUENCE = BigInteger().with_variant(Integer, "sqlite")
"""A 64-bit number that the database counts up by itself; SQLite does that for ``INTEGER`` only."""


class JsonText(str):
    """A JSON value that is text already, as `canonical` makes it: it is not made again when it is written."""

    __slots__ = ()


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical(value: Any) -> JsonText:
    """Return the text of a JSON value, as columns hold it."""
    return JsonText(_ENCODER.encode(value))


class CanonicalJson(TypeDecorator[Any]):
    """JSON as text: sorted keys, no spaces, ASCII, no NaN; the same value is the same text on both engines."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return the text of a JSON value."""
        return value if value is None or isinstance(value, JsonText) else canonical(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Return the JSON value of a text."""
        return None if value is None else json.loads(value)

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:
        """Compare as text."""
        return Text()


class Base(SQLModel):
    """Base of all tables, with metadata of its own."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMING_CONVENTION)


class RawMessageRow(Base, table=True):
    """The bytes of a message, once for each content."""

    __tablename__ = "raw_messages"
    __table_args__ = (Index(None, "state", "digest"),)

    digest: str = Field(primary_key=True)
    payload: bytes = Field(sa_type=LargeBinary)
    media_type: str | None
    source: str
    position: str | None
    topic: str | None
    alert_stream: str | None
    trust: str
    received_tai_us: int = Field(sa_type=BigInteger)
    state: str
    """A `MessageState` value."""


class ReceptionRow(Base, table=True):
    """That a source brought a content, and how many of its deliveries have no outcome yet."""

    __tablename__ = "receptions"
    __table_args__ = (
        ForeignKeyConstraint(["digest"], ["raw_messages.digest"], ondelete="CASCADE"),
        Index(None, "in_flight"),
    )

    digest: str = Field(primary_key=True)
    source: str = Field(primary_key=True)
    in_flight: int
    position: str | None
    topic: str | None
    media_type: str | None
    alert_stream: str | None
    trust: str
    received_tai_us: int = Field(sa_type=BigInteger)


class SourceCountRow(Base, table=True):
    """The books of one source."""

    __tablename__ = "source_counts"

    source: str = Field(primary_key=True)
    received: int = Field(sa_type=BigInteger)
    stored: int = Field(sa_type=BigInteger)
    duplicates: int = Field(sa_type=BigInteger)
    dead_letters: int = Field(sa_type=BigInteger)


class DeadLetterRow(Base, table=True):
    """Why a message could not be used."""

    __tablename__ = "dead_letters"
    __table_args__ = (ForeignKeyConstraint(["digest"], ["raw_messages.digest"]), Index(None, "last_tai_us"))

    digest: str = Field(primary_key=True)
    kind: str
    """``refused``, or ``held`` for alerts whose schema nobody knows yet."""

    source: str
    reason: str
    format: str | None
    adapter_version: str
    tries: int
    first_tai_us: int = Field(sa_type=BigInteger)
    last_tai_us: int = Field(sa_type=BigInteger)


class ContextRow(Base, table=True):
    """A message that is kept but is no event: a circular, a transport message, a bare sky map."""

    __tablename__ = "contexts"
    __table_args__ = (Index(None, "kind"),)

    digest: str = Field(primary_key=True)
    kind: str
    format: str
    summary: Any = Field(sa_type=CanonicalJson)
    received_tai_us: int = Field(sa_type=BigInteger)


class NoticeRow(Base, table=True):
    """One notice; a revision of the same identity is a row of its own."""

    __tablename__ = "notices"
    __table_args__ = (Index(None, "event_id"), Index(None, "ivorn"), Index(None, "identity"), Index(None, "digest"))

    notice_id: str = Field(primary_key=True)
    identity: str
    ivorn: str | None
    event_id: str | None
    digest: str
    is_trusted: bool
    received_tai_us: int = Field(sa_type=BigInteger)
    document: Any = Field(sa_type=CanonicalJson)


class EventRow(Base, table=True):
    """One event as its notices describe it now."""

    __tablename__ = "events"
    __table_args__ = (
        Index(None, "order_tai_us", "event_id"),
        Index(None, "first_t0_tai_us", "last_t0_tai_us"),
        Index(None, "changed"),
    )

    event_id: str = Field(primary_key=True)
    messenger: str
    mission: str
    event_class: str
    state: str
    significance: str
    is_live: bool
    t0_tai_us: int | None = Field(sa_type=BigInteger)
    first_t0_tai_us: int | None = Field(sa_type=BigInteger)
    """Earliest time that any of its notices gives the event."""

    last_t0_tai_us: int | None = Field(sa_type=BigInteger)
    """Latest such time."""

    order_tai_us: int = Field(sa_type=BigInteger)
    """Place in listings: t0, else issue time, else reception."""

    far_hz: float | None
    is_vetoed: bool
    """Whether its observatory has a reason for which it is none."""

    is_answer: bool
    """Whether it is a search of something else than light that was made because of another event: no trigger of its own."""

    changed: int = Field(sa_type=BigInteger)
    """Value of the counter ``events`` when it last changed."""

    document: Any = Field(sa_type=CanonicalJson)


class CounterRow(Base, table=True):
    """How often something was changed: who has seen the same number has seen the same content."""

    __tablename__ = "counters"

    name: str = Field(primary_key=True)
    value: int = Field(sa_type=BigInteger)


class EventAliasRow(Base, table=True):
    """Other names of an event."""

    __tablename__ = "event_aliases"
    __table_args__ = (ForeignKeyConstraint(["event_id"], ["events.event_id"], ondelete="CASCADE"), Index(None, "event_id"))

    alias: str = Field(primary_key=True)
    event_id: str = Field(primary_key=True)


class EventCitationRow(Base, table=True):
    """What an electromagnetic event cites, or was observed because of: the id or a name of another event, or an ivorn."""

    __tablename__ = "event_citations"
    __table_args__ = (ForeignKeyConstraint(["event_id"], ["events.event_id"], ondelete="CASCADE"), Index(None, "cited"))

    event_id: str = Field(primary_key=True)
    cited: str = Field(primary_key=True)


class SourceMemberRow(Base, table=True):
    """The source that an event shares with others; an event without a row is one by itself."""

    __tablename__ = "source_members"
    __table_args__ = (Index(None, "source_id"),)

    event_id: str = Field(primary_key=True)
    source_id: str


class SourceVersionRow(Base, table=True):
    """What a source of several events was after one change; one that is no more has a latest version with fewer than two."""

    __tablename__ = "source_versions"
    __table_args__ = (Index(None, "is_latest", "order_tai_us", "source_id"),)

    source_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    is_latest: bool
    n_members: int
    order_tai_us: int = Field(sa_type=BigInteger)
    """Place in listings: its time."""

    document: Any = Field(sa_type=CanonicalJson)


class SourceWordRow(Base, table=True):
    """What a person said about two events, taken back or not."""

    __tablename__ = "source_words"
    __table_args__ = (Index(None, "first"), Index(None, "second"))

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    first: str
    second: str
    document: Any = Field(sa_type=CanonicalJson)


class LocalizationRow(Base, table=True):
    """A map by its content."""

    __tablename__ = "localizations"

    localization_id: str = Field(primary_key=True)
    source: str
    summary: Any = Field(sa_type=CanonicalJson)
    remarks: Any = Field(sa_type=CanonicalJson)
    columns: bytes = Field(sa_type=LargeBinary)
    """The map's arrays, compressed ``npz``."""


class PacketRow(Base, table=True):
    """The whole packet of an alert that became a detection of a candidate."""

    __tablename__ = "packets"

    survey: str = Field(primary_key=True)
    source_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    payload: bytes = Field(sa_type=LargeBinary)


class CandidateRow(Base, table=True):
    """One object under one hypothesis of one event."""

    __tablename__ = "candidates"
    __table_args__ = (Index(None, "survey", "object_id"), Index(None, "event_id", "confirmed", "score"), Index(None, "hpx29"))

    event_id: str = Field(primary_key=True)
    survey: str = Field(primary_key=True)
    object_id: str = Field(primary_key=True)
    hypothesis: str = Field(primary_key=True)
    state: str
    confirmed: bool
    score: float = Field(sa_type=Float)
    level: float | None
    document: Any = Field(sa_type=CanonicalJson)
    hpx29: int | None = Field(sa_type=BigInteger)
    """Order-29 pixel of its place, NESTED; None where it has none."""


class WatchedRow(Base, table=True):
    """An object that fitted an event once: the pair is looked at with every new alert of it. Written before it is evaluated."""

    __tablename__ = "watched"
    __table_args__ = (Index(None, "survey", "object_id"),)

    event_id: str = Field(primary_key=True)
    survey: str = Field(primary_key=True)
    object_id: str = Field(primary_key=True)


class WatchedPlaceRow(Base, table=True):
    """Where an object lies that is watched: a row for each small cell around it. Written with `WatchedRow`."""

    __tablename__ = "watched_places"

    cell: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    """HEALPix pixel of `hub.science.small_cone.CELL_ORDER`."""

    survey: str = Field(primary_key=True)
    object_id: str = Field(primary_key=True)
    hpx29: int = Field(sa_type=BigInteger)
    """Order-29 pixel of one of its detections."""


class UnsaidRow(Base, table=True):
    """A pair of event and object whose candidates a pass changed that does not let everything out."""

    __tablename__ = "unsaid"

    event_id: str = Field(primary_key=True)
    survey: str = Field(primary_key=True)
    object_id: str = Field(primary_key=True)


class CoincidenceRow(Base, table=True):
    """One version of one pair."""

    __tablename__ = "coincidences"
    __table_args__ = (Index(None, "is_latest", "first_created_tai_us", "coincidence_id"), Index(None, "kind", "t0_tai_us"))

    coincidence_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    is_latest: bool
    kind: str
    state: str
    is_live: bool
    t0_tai_us: int | None = Field(sa_type=BigInteger)
    level: float | None
    score: float | None
    joint_far_hz: float | None
    """The larger of joint false-alarm rate and rate of unrelated real events: what listings are limited by."""

    held_back: bool
    """Whether it is open, and stays in the hub."""

    created_tai_us: int = Field(sa_type=BigInteger)
    first_created_tai_us: int = Field(sa_type=BigInteger)
    """When its first version was written: its place in listings."""

    let_out: str
    """How much has left because of it, a `hub.model.outgoing.Leaves`."""

    document: Any = Field(sa_type=CanonicalJson)


class CoincidenceMemberRow(Base, table=True):
    """Who belongs to a pair; the same in all its versions."""

    __tablename__ = "coincidence_members"
    __table_args__ = (Index(None, "member_id"),)

    coincidence_id: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    member_id: str = Field(primary_key=True)


class PairQuestionsRow(Base, table=True):
    """What a pair of events asked of the triggers before it, and what it was told, when it was last evaluated."""

    __tablename__ = "pair_questions"

    coincidence_id: str = Field(primary_key=True)
    first_id: str
    """Id of one event, the first by id."""

    second_id: str
    at_tai_us: int | None = Field(sa_type=BigInteger, index=True)
    """Before which triggers count; null where it asked nothing."""

    document: Any = Field(sa_type=CanonicalJson)


class AnnouncedRow(Base, table=True):
    """What was spent of the budget of false announcements: a coincidence of which a message left, once."""

    __tablename__ = "announced"
    __table_args__ = (Index(None, "first_tai_us"),)

    coincidence_id: str = Field(primary_key=True)
    rule: str
    kind: str
    version: int
    """The first version that left."""

    spends_per_month: float | None
    first_tai_us: int = Field(sa_type=BigInteger)
    withdrawn_tai_us: int | None = Field(sa_type=BigInteger)
    """When it was taken back; NULL while it stands."""

    superseded_by: str | None = None
    """The coincidence whose message took the place of its own; NULL where it was not, or stands again."""


class PromotedRow(Base, table=True):
    """An event of low significance that an announced pair lifts: it is searched for counterparts like a significant one."""

    __tablename__ = "promoted"

    event_id: str = Field(primary_key=True)


class GroupRow(Base, table=True):
    """One version of a group of events that hang together."""

    __tablename__ = "event_groups"
    __table_args__ = (Index(None, "is_latest", "first_created_tai_us", "group_id"),)

    group_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    is_latest: bool
    state: str
    is_live: bool
    t0_tai_us: int | None = Field(sa_type=BigInteger)
    created_tai_us: int = Field(sa_type=BigInteger)
    first_created_tai_us: int = Field(sa_type=BigInteger)
    document: Any = Field(sa_type=CanonicalJson)


class GroupMemberRow(Base, table=True):
    """The group that a member belongs to now: nothing is in two."""

    __tablename__ = "group_members"
    __table_args__ = (Index(None, "group_id"),)

    kind: str = Field(primary_key=True)
    member_id: str = Field(primary_key=True)
    group_id: str


class OutboxRow(Base, table=True):
    """A message on its way out to one destination."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("ivorn_key", "destination", "content"),
        Index(None, "destination", "state", "due_tai_us"),
    )

    sequence: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    ivorn: str
    ivorn_key: str
    """The same in the spelling that names are compared in."""

    content: str
    """Digest of the payload of another author's message, which others may have named alike; empty for the hub's own."""

    destination: str
    subject: str
    key: str
    media_type: str
    payload: bytes = Field(sa_type=LargeBinary)
    role: str
    cites: Any = Field(sa_type=CanonicalJson)
    created_tai_us: int = Field(sa_type=BigInteger)
    state: str
    tries: int
    due_tai_us: int = Field(sa_type=BigInteger)
    sent_tai_us: int | None = Field(sa_type=BigInteger)
    echoed_tai_us: int | None = Field(sa_type=BigInteger)
    """When it came back from where it was sent to; None where it has not, or nobody listens."""

    error: str


class HeardRow(Base, table=True):
    """Until when a source that does not repeat itself was listened to."""

    __tablename__ = "heard"

    source: str = Field(primary_key=True)
    until_tai_us: int = Field(sa_type=BigInteger)


class IntentRow(Base, table=True):
    """What should be observed and why."""

    __tablename__ = "intents"
    __table_args__ = (
        Index(None, "created_tai_us", "intent_id"),
        Index(None, "event_id"),
        Index(None, "coincidence_id"),
        Index(None, "state"),
        Index(None, "counted_tai_us"),
        Index(None, "network", "instrument"),
    )

    intent_id: str = Field(primary_key=True)
    event_id: str
    coincidence_id: str | None
    network: str
    instrument: str | None = None
    state: str | None
    """State of its newest transition."""

    created_tai_us: int = Field(sa_type=BigInteger)
    counted_tai_us: int | None = Field(default=None, sa_type=BigInteger)
    """From when it counts to the budgets: of a later look its date."""

    shutter_us: int | None = Field(default=None, sa_type=BigInteger)
    """Open shutter of all its fields, microseconds: whole, so that the sum does not depend on the order."""

    document: Any = Field(sa_type=CanonicalJson)


class TransitionRow(Base, table=True):
    """One step of a submission."""

    __tablename__ = "transitions"
    __table_args__ = (ForeignKeyConstraint(["intent_id"], ["intents.intent_id"]), Index(None, "network", "answered_tai_us"))

    intent_id: str = Field(primary_key=True)
    network: str = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    state: str | None = None
    answered_tai_us: int | None = Field(default=None, sa_type=BigInteger)
    """When it was taken, where it is what came of a sending; None for any other step."""

    document: Any = Field(sa_type=CanonicalJson)


class JobRow(Base, table=True):
    """Something that must be computed again."""

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("kind", "key"),)

    sequence: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    kind: str
    key: str
    token: str
    """New with every request, so that a job asked for again while it ran is not taken for done."""


class LeaseRow(Base, table=True):
    """Who may do something that only one process at a time may do."""

    __tablename__ = "leases"

    name: str = Field(primary_key=True)
    holder: str
    until_tai_us: int = Field(sa_type=BigInteger)


class ComponentRow(Base, table=True):
    """What a loop of a running hub last said of itself."""

    __tablename__ = "components"

    name: str = Field(primary_key=True)
    instance: str = Field(primary_key=True)
    """Which process: host and process id."""

    state: str
    alarms: Any = Field(sa_type=CanonicalJson)
    facts: Any = Field(sa_type=CanonicalJson)
    since_tai_us: int = Field(sa_type=BigInteger)
    """When it entered its state."""

    updated_tai_us: int = Field(sa_type=BigInteger)


class IncidentRow(Base, table=True):
    """Something that happened once to a source or destination: a gap, a refused credential."""

    __tablename__ = "incidents"
    __table_args__ = (Index(None, "at_tai_us"),)

    source: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    text: str
    facts: Any = Field(sa_type=CanonicalJson)
    at_tai_us: int = Field(sa_type=BigInteger)


class StreamPositionRow(Base, table=True):
    """How far the hub has stored a partition, whatever the broker believes."""

    __tablename__ = "stream_positions"

    source: str = Field(primary_key=True)
    topic: str = Field(primary_key=True)
    partition: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    first_offset: int = Field(sa_type=BigInteger)
    next_offset: int = Field(sa_type=BigInteger)
    messages: int = Field(sa_type=BigInteger)
    """Messages brought, repeats included."""

    missing: int = Field(sa_type=BigInteger)
    """Offsets that were passed over: control records, compaction, or a gap that an incident tells of."""

    topic_id: str
    """What the broker calls the topic; empty where it does not say."""


class AlertStreamRow(Base, table=True):
    """An alert stream that the hub has heard, and what it selects."""

    __tablename__ = "alert_streams"

    name: str = Field(primary_key=True)
    survey: str
    is_full: bool
    selection: Any = Field(sa_type=CanonicalJson)
    since_tai_us: int = Field(sa_type=BigInteger)
    """When the hub first listened to it."""


class CircularRow(Base, table=True):
    """One version of one circular; the same version with another text is a row of its own."""

    __tablename__ = "circulars"
    __table_args__ = (Index(None, "is_latest", "circular_id"), Index(None, "created_tai_us"), Index(None, "digest"))

    circular_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    content: str = Field(primary_key=True)
    """Digest of subject and body."""

    digest: str
    """SHA-256 of the raw bytes."""

    subject: str
    body: str = Field(sa_type=Text)
    submitter: str | None
    event_name: str | None
    text_format: str
    bibcode: str | None
    edited_by: str | None
    created_tai_us: int | None = Field(sa_type=BigInteger)
    edited_tai_us: int | None = Field(sa_type=BigInteger)
    received_tai_us: int = Field(sa_type=BigInteger)
    is_trusted: bool
    is_latest: bool


class CircularNameRow(Base, table=True):
    """An event that a circular is about, by the key of its name; the event may be known or come later."""

    __tablename__ = "circular_names"

    name_key: str = Field(primary_key=True)
    circular_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    content: str = Field(primary_key=True)


class AnnotationRow(Base, table=True):
    """What somebody says about an event, an object or a place."""

    __tablename__ = "annotations"
    __table_args__ = (
        Index(None, "order_tai_us", "annotation_id"),
        Index(None, "source", "source_ref"),
        Index(None, "cell"),
        Index(None, "state"),
    )

    annotation_id: str = Field(primary_key=True)
    target_kind: str
    target_id: str
    kind: str
    source: str
    source_ref: str
    version: str
    state: str
    is_current: bool
    order_tai_us: int = Field(sa_type=BigInteger)
    """When it was stated, else received."""

    cell: int | None = Field(sa_type=BigInteger)
    """HEALPix pixel of the target's place, for the index; NULL where the source gives none."""

    document: Any = Field(sa_type=CanonicalJson)


class AnnotationNameRow(Base, table=True):
    """A name under which the target of a statement is found, by its key."""

    __tablename__ = "annotation_names"
    __table_args__ = (
        ForeignKeyConstraint(["annotation_id"], ["annotations.annotation_id"], ondelete="CASCADE"),
        Index(None, "annotation_id"),
    )

    name_key: str = Field(primary_key=True)
    annotation_id: str = Field(primary_key=True)


class AnnotationDecisionRow(Base, table=True):
    """What a person decided about a proposal; every decision stays, the last one counts."""

    __tablename__ = "annotation_decisions"
    __table_args__ = (ForeignKeyConstraint(["annotation_id"], ["annotations.annotation_id"], ondelete="CASCADE"),)

    annotation_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    state: str
    decided_by: str
    decided_tai_us: int = Field(sa_type=BigInteger)
    note: str


class TokenRow(Base, table=True):
    """What the hub knows of a token of the HTTP API."""

    __tablename__ = "tokens"
    __table_args__ = (UniqueConstraint("name"),)

    token_id: str = Field(primary_key=True)
    """The first digits of the digest."""

    digest: str
    name: str
    scopes: Any = Field(sa_type=CanonicalJson)
    is_trusted: bool
    created_tai_us: int = Field(sa_type=BigInteger)
    expires_tai_us: int = Field(sa_type=BigInteger)
    revoked_tai_us: int | None = Field(sa_type=BigInteger)
    last_used_tai_us: int | None = Field(sa_type=BigInteger)


class PersonRow(Base, table=True):
    """Somebody who may use the hub."""

    __tablename__ = "persons"
    __table_args__ = (UniqueConstraint("subject"),)

    name: str = Field(primary_key=True)
    scopes: Any = Field(sa_type=CanonicalJson)
    password_hash: str | None
    """Argon2id with its parameters and salt."""

    subject: str | None
    created_tai_us: int = Field(sa_type=BigInteger)
    disabled_tai_us: int | None = Field(sa_type=BigInteger)


class PersonGroupRow(Base, table=True):
    """That a person belongs to a group."""

    __tablename__ = "person_groups"
    __table_args__ = (ForeignKeyConstraint(["person"], ["persons.name"]),)

    person: str = Field(primary_key=True)
    group_name: str = Field(primary_key=True)


class SessionRow(Base, table=True):
    """That a person has signed in with a browser."""

    __tablename__ = "sessions"
    __table_args__ = (ForeignKeyConstraint(["person"], ["persons.name"]), Index(None, "person"), Index(None, "expires_tai_us"))

    session_id: str = Field(primary_key=True)
    """The first digits of the digest."""

    digest: str
    person: str
    created_tai_us: int = Field(sa_type=BigInteger)
    expires_tai_us: int = Field(sa_type=BigInteger)
    seen_tai_us: int = Field(sa_type=BigInteger)
    ended_tai_us: int | None = Field(sa_type=BigInteger)


class MapFetchRow(Base, table=True):
    """A sky map that a notice of an event names by its URL."""

    __tablename__ = "map_fetches"
    __table_args__ = (Index(None, "state", "due_tai_us"),)

    event_id: str = Field(primary_key=True)
    url: str = Field(primary_key=True)
    state: str
    """A `FetchState` value."""

    tries: int
    first_tai_us: int = Field(sa_type=BigInteger)
    due_tai_us: int = Field(sa_type=BigInteger)
    fetched_tai_us: int | None = Field(sa_type=BigInteger)
    sha256: str | None
    localization_id: str | None
    remarks: Any = Field(sa_type=CanonicalJson)
    error: str


class BackgroundRow(Base, table=True):
    """What was measured of the background of an event; versions are added."""

    __tablename__ = "backgrounds"

    event_id: str = Field(primary_key=True)
    hypothesis: str = Field(primary_key=True)
    survey: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    computed_tai_us: int = Field(sa_type=BigInteger)
    content: Any = Field(sa_type=CanonicalJson)


class WorthRow(Base, table=True):
    """What a candidate was found to be worth; written over where that changed by enough."""

    __tablename__ = "worths"

    event_id: str = Field(primary_key=True)
    survey: str = Field(primary_key=True)
    object_id: str = Field(primary_key=True)
    hypothesis: str = Field(primary_key=True)
    version: int
    """How often it was found to be worth something else."""

    computed_tai_us: int = Field(sa_type=BigInteger)
    document: Any = Field(sa_type=CanonicalJson)
    """The scores."""


class PointingRow(Base, table=True):
    """A field that somebody reports to have observed because of an event."""

    __tablename__ = "pointings"
    __table_args__ = (Index(None, "event_id", "at_tai_us"),)

    event_id: str = Field(primary_key=True)
    pointing_id: str = Field(primary_key=True)
    at_tai_us: int = Field(sa_type=BigInteger)
    received_tai_us: int = Field(sa_type=BigInteger)
    document: Any = Field(sa_type=CanonicalJson)


class RegisterAnswerRow(Base, table=True):
    """When a register was asked last what is reported of an event, and what came of it."""

    __tablename__ = "register_answers"

    network: str = Field(primary_key=True)
    event_id: str = Field(primary_key=True)
    asked_tai_us: int = Field(sa_type=BigInteger)
    answered_tai_us: int | None = Field(sa_type=BigInteger)
    """Of the last answer; null where there was none."""

    n_pointings: int
    reason: str
    """Why the last question had no answer; empty where it had one."""


class RegisterReportRow(Base, table=True):
    """What the hub reports of one of its own pointings at a register."""

    __tablename__ = "register_reports"
    __table_args__ = (Index(None, "event_id"),)

    network: str = Field(primary_key=True)
    pointing_id: str = Field(primary_key=True)
    event_id: str
    document: Any = Field(sa_type=CanonicalJson)


class ObjectPlaceRow(Base, table=True):
    """Where an object lies that is or was a candidate: the place of its first alert."""

    __tablename__ = "object_places"
    __table_args__ = (Index(None, "cell"), Index(None, "object_id"))

    survey: str = Field(primary_key=True)
    object_id: str = Field(primary_key=True)
    cell: int = Field(sa_type=BigInteger)
    """HEALPix pixel of `hub.science.small_cone.CELL_ORDER`."""

    ra_deg: float
    dec_deg: float
    first_tai_us: int = Field(sa_type=BigInteger)
    """When it was first detected, as far as its alerts tell."""


class FollowupDecisionRow(Base, table=True):
    """What the follow-up policy made of a target, asked for or not."""

    __tablename__ = "followup_decisions"
    __table_args__ = (Index(None, "event_id"), Index(None, "decided_tai_us", "decision_id"))

    decision_id: str = Field(primary_key=True)
    event_id: str
    coincidence_id: str | None
    verdict: str
    decided_tai_us: int = Field(sa_type=BigInteger)
    document: Any = Field(sa_type=CanonicalJson)


class NetworkStopRow(Base, table=True):
    """That a person stopped a telescope network, or let it go on."""

    __tablename__ = "network_stops"

    sequence: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    network: str
    at_tai_us: int = Field(sa_type=BigInteger)
    is_stopped: bool
    actor: str
    reason: str


class FollowupLogRow(Base, table=True):
    """Who did what about follow-up, and why."""

    __tablename__ = "followup_log"
    __table_args__ = (Index(None, "intent_id"),)

    sequence: int | None = Field(default=None, primary_key=True, sa_type=SEQUENCE)
    at_tai_us: int = Field(sa_type=BigInteger)
    actor: str
    action: str
    intent_id: str | None
    network: str | None
    document: Any = Field(sa_type=CanonicalJson)
    """Without secrets."""


class IdempotentAnswerRow(Base, table=True):
    """What was answered to a request that its caller may repeat."""

    __tablename__ = "idempotent_answers"
    __table_args__ = (Index(None, "at_tai_us"),)

    caller: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    digest: str
    """SHA-256 of what was asked."""

    at_tai_us: int = Field(sa_type=BigInteger)
    document: Any = Field(sa_type=CanonicalJson)


class EscalationStepRow(Base, table=True):
    """That a channel was told of something that waits for somebody; an empty channel stands for the end of the list."""

    __tablename__ = "escalation_steps"

    concern: str = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at_tai_us: int = Field(sa_type=BigInteger)
    channel: str


class AcknowledgementRow(Base, table=True):
    """That a person has taken note of something that waited for somebody."""

    __tablename__ = "acknowledgements"

    concern: str = Field(primary_key=True)
    at_tai_us: int = Field(sa_type=BigInteger)
    actor: str
    reason: str


class PrivatePartRow(Base, table=True):
    """That what a source, survey or network brings, or a destination gets, is private to a group."""

    __tablename__ = "private_parts"

    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    group_name: str
