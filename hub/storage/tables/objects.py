"""Objects of surveys: packets, candidates, what is watched and said of them, what they are worth."""

from typing import Any

from sqlalchemy import BigInteger, Float, ForeignKeyConstraint, Index, LargeBinary
from sqlmodel import Field

from hub.storage.tables.base import Base, CanonicalJson


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
