"""Follow-up requests, pointings, and what was decided and told about them."""

from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index
from sqlmodel import Field

from hub.storage.tables.base import SEQUENCE, Base, CanonicalJson


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
