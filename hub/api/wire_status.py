"""The shapes of the answers about how the hub is."""

from typing import Any

from pydantic import ConfigDict, Field

from hub.api.wire import Time, Wire


class Component(Wire):
    """One loop of a running hub, as it was when it last reported."""

    name: str
    instance: str = Field(description="Which process")
    state: str = Field(description="silent where it has not reported for a minute; stopped where it was asked to")
    alarms: list[str]
    facts: dict[str, Any] = Field(
        description="Lag, heartbeat, subscriptions, peers ... as the kind of source or destination has them"
    )
    since: Time
    reported_at: Time
    reported_s_ago: float


class AlertsHealth(Wire):
    """How the alerts of a source pass, over all workers that share it."""

    workers: int
    alerts_per_s: float = Field(description="Over the last minute")
    lag: float = Field(description="Alerts that the broker has and the hub has not taken")
    lag_s: float | None = Field(description="Age of the alerts that are taken now; 0 where all are taken. Of the worst worker")
    matched_p50_s: float | None = Field(description="Time from readout to matched of half of the latest alerts")
    matched_p98_s: float | None = Field(description="The same of 98 % of them")
    within_60_s: float | None = Field(description="Share of them that were matched within 60 s of their readout")
    archive_rows: int | None
    archive_rows_at: Time | None = Field(description="When they were counted")
    dated_ahead: int = Field(description="Alerts that came more than a minute before they were exposed, by this machine's clock")
    ahead_s: float | None = Field(description="How far ahead the latest of them were, for ten minutes; then null")
    packets_not_kept: int = Field(description="Packets of matching alerts that were not kept, because alerts came too late")
    statements_not_recorded: int = Field(description="What brokers said of objects meanwhile")


class SourceHealth(Wire):
    """A source: its books, its place in the stream, and how it is."""

    source: str
    received: int
    stored: int
    duplicates: int
    dead_letters: int
    in_flight: int
    law_holds: bool
    held: int = Field(description="Messages kept whole because nobody knows their schema yet")
    partitions: int = Field(description="Partitions of which the hub knows its place")
    offsets_missing: int = Field(description="Offsets passed over: control records, compaction, or gaps among the incidents")
    alerts: AlertsHealth | None = Field(description="Null where it is no source of alert packets that runs")
    component: Component | None = Field(description="Null where it has never run under `mmhub run`")


class DestinationHealth(Wire):
    """A destination: what became of its messages, and how it is."""

    destination: str
    waiting: int
    sent: int
    failed: int = Field(description="Given up")
    oldest_waiting_s: float | None
    error: str = Field(description="Why the oldest one that waits could not be sent")
    component: Component | None


class Incident(Wire):
    """Something that happened once to a source or destination, such as a gap in a stream."""

    source: str
    kind: str
    text: str
    facts: dict[str, Any]
    at: Time


class Health(Wire):
    """How the hub is."""

    status: str = Field(description="ok, alarm, or messages unaccounted for")
    law_holds: bool
    alarms: list[str] = Field(description="What a person must know, one sentence each")
    sources: list[SourceHealth]
    destinations: list[DestinationHealth]
    components: list[Component] = Field(description="Loops that are neither source nor destination")
    incidents: list[Incident] = Field(description="The latest ones")
    counts: dict[str, int]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "ok",
                    "law_holds": True,
                    "alarms": [],
                    "sources": [],
                    "destinations": [],
                    "components": [],
                    "incidents": [],
                    "counts": {"events": 0},
                }
            ]
        }
    )
