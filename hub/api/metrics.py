"""Numbers for Prometheus, computed from the database at each question: whichever process is asked, the answer is the hub's.

Nothing is counted in memory, so that no restart and no second process makes a counter wrong.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from hub.api.parameters import StoreDep
from hub.api.security import READS
from hub.model.instant import Instant
from hub.services.status import Numbers, numbers
from hub.version import VERSION

router = APIRouter(tags=["operations"])

PATH = "/metrics"
"""Where Prometheus looks; outside of the versioned API."""


@router.get(PATH, response_class=Response, dependencies=[READS], include_in_schema=False)
def get_metrics(request: Request, store: StoreDep) -> Response:
    """Return counters and gauges in the text format of Prometheus."""
    now = request.app.state.clock()
    with store.reading() as session:
        found = numbers(session)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(list(families(found, now))))
    return Response(generate_latest(registry), headers={"Cache-Control": "no-store", "Content-Type": CONTENT_TYPE_LATEST})


class _Given(Collector):
    """Families that are there already."""

    def __init__(self, families_: list[Metric]) -> None:
        self._families = families_

    def collect(self) -> list[Metric]:
        return self._families


def families(found: Numbers, now: Instant) -> Iterator[Metric]:
    """Yield every metric; `docs/reference/metrics.md` describes them."""
    yield InfoMetricFamily("mmhub_build", "Which hub this is", value={"version": VERSION})
    yield from _of_books(found)
    yield from _of_sources(found, now)
    yield from _of_alerts(found, now)
    yield from _of_outbox(found, now)
    yield _labelled(GaugeMetricFamily, "mmhub_followup_requests", "Follow-up requests by state", "state", found.followups)
    yield GaugeMetricFamily("mmhub_jobs_waiting", "Events whose correlation is to be computed again", value=found.jobs_waiting)
    up = {one.name: float(is_up) for one, is_up in found.components(now)}
    yield _labelled(
        GaugeMetricFamily, "mmhub_component_up", "1 where a loop has reported within a minute and runs", "component", up
    )
    alarms = {one.name: len(one.alarms) for one, _ in found.components(now)}
    yield _labelled(GaugeMetricFamily, "mmhub_component_alarms", "Alarms that a loop raises", "component", alarms)
    yield _labelled(GaugeMetricFamily, "mmhub_incidents", "Incidents ever recorded", "source", found.incidents)
    yield GaugeMetricFamily("mmhub_conservation_ok", "1 where no message is unaccounted for", value=float(found.law_holds))


def _of_books(found: Numbers) -> Iterator[Metric]:
    for name, text in (
        ("received", "Messages that a source brought"),
        ("stored", "Messages that were new and understood"),
        ("duplicates", "Messages that were known"),
        ("dead_letters", "Messages that were refused, with a reason"),
    ):
        values = {one.source: getattr(one, name) for one in found.books}
        yield _labelled(CounterMetricFamily, f"mmhub_messages_{name}", text, "source", values)
    flying = {one.source: one.in_flight for one in found.books}
    yield _labelled(GaugeMetricFamily, "mmhub_messages_in_flight", "Received, without an outcome yet", "source", flying)
    yield _labelled(GaugeMetricFamily, "mmhub_messages_held", "Kept until their schema is known", "source", found.held)


def _of_sources(found: Numbers, now: Instant) -> Iterator[Metric]:
    facts = {name: one.facts for name, one in found.sources(now).items()}
    yield _labelled(
        GaugeMetricFamily,
        "mmhub_source_lag_messages",
        "Messages that the broker has and the hub has not",
        "source",
        _facts(facts, "lag") | _facts(found.alerts(now), "lag"),
    )
    heartbeats = _facts(facts, "heartbeat_age_s")
    yield _labelled(GaugeMetricFamily, "mmhub_source_heartbeat_age_seconds", "Age of the last heartbeat", "source", heartbeats)
    ages = {
        name: now.minus(Instant.from_utc_iso(last))
        for name, told in facts.items()
        if isinstance(last := told.get("last_taken_at"), str)
    }
    yield _labelled(GaugeMetricFamily, "mmhub_source_last_message_age_seconds", "Age of the last message taken", "source", ages)


def _of_alerts(found: Numbers, now: Instant) -> Iterator[Metric]:
    facts = found.alerts(now)
    for key, name, text in (
        ("workers", "alert_workers", "Processes that take in alerts"),
        ("alerts_per_s", "alerts_per_second", "Alerts taken in over the last minute, per second"),
        ("lag_s", "alert_lag_seconds", "Age of the alerts that are taken now, 0 where all are taken"),
        ("matched_p50_s", "alert_matched_p50_seconds", "Time from readout to matched of half of the latest alerts"),
        ("matched_p98_s", "alert_matched_p98_seconds", "Time from readout to matched of 98 % of the latest alerts"),
        ("within_60_s", "alerts_within_60_s_ratio", "Share of the latest alerts matched within 60 s of their readout"),
        ("archive_rows", "archive_rows", "Alerts in the archive"),
        ("dated_ahead", "alerts_dated_ahead", "Alerts that came more than a minute before they were exposed: not timed"),
        ("packets_not_kept", "alert_packets_not_kept", "Packets of matches not kept because alerts came too late"),
        ("statements_not_recorded", "alert_statements_not_recorded", "What brokers said of objects meanwhile"),
    ):
        yield _labelled(GaugeMetricFamily, f"mmhub_{name}", text, "source", _facts(facts, key))


def _of_outbox(found: Numbers, now: Instant) -> Iterator[Metric]:
    outbox = found.outbox
    sent = {one.destination: one.sent for one in outbox}
    failed = {one.destination: one.failed for one in outbox}
    waiting = {one.destination: one.waiting for one in outbox}
    oldest = {one.destination: now.minus(one.oldest_waiting_at) if one.oldest_waiting_at else 0.0 for one in outbox}
    yield _labelled(CounterMetricFamily, "mmhub_outbox_sent", "Messages that were delivered", "destination", sent)
    yield _labelled(CounterMetricFamily, "mmhub_outbox_failed", "Messages that were given up", "destination", failed)
    yield _labelled(GaugeMetricFamily, "mmhub_outbox_waiting", "Messages that wait", "destination", waiting)
    text = "Age of the oldest message that waits, 0 where none does"
    yield _labelled(GaugeMetricFamily, "mmhub_outbox_oldest_age_seconds", text, "destination", oldest)


def _facts(facts: Mapping[str, Mapping[str, Any]], key: str) -> dict[str, float]:
    return {name: float(value) for name, told in facts.items() if isinstance(value := told.get(key), int | float)}


def _labelled(family: Any, name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    made: Metric = family(name, text, labels=[label])
    for key, value in sorted(values.items()):
        made.add_metric([key], value)  # type: ignore[attr-defined]  # both kinds of families have it
    return made
