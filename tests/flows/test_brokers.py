"""The same detections through several brokers, and what brokers and registries say of an object: from bytes to the ranking."""

import dataclasses
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pytest

from adapters.contained import contained
from hub.bootstrap import Hub, create_database, open_hub
from hub.config import Settings, SourceSection
from hub.model.coincidence import Candidate, Coincidence, PairState
from hub.model.envelope import Envelope, Trust
from hub.science.healpix import N_PIX29
from hub.services import queries
from hub.storage import candidates, coincidences, envelopes
from hub.storage.engine import Store
from tests.support import lsst_packets
from tests.support.small_world import NOW, Sent, Ticking, alerts, notices, settings_in
from tests.support.tns_tables import table

KEY = json.dumps(lsst_packets.plain_schema("10.0")).encode()
PACKETS = [one for one in alerts() if one.payload[:1] == b"\0"]
FADING = "313000000000000101"
"""The object that fades like a kilonova, in the map of the merger."""

STREAMS = ("fink-lsst", "lasair-lsst")


@contextmanager
def hub_of(folder: Path, *streams: str) -> Iterator[tuple[Store, Hub]]:
    """Give a hub that hears the survey through some brokers."""
    sources = {
        name: SourceSection.model_validate({"kind": "kafka", "topics": ["x"], "group_id": "g", "stream": name})
        for name in streams
    }
    settings: Settings = settings_in(folder).model_copy(update={"sources": sources})
    settings.hub.data_dir.mkdir(parents=True, exist_ok=True)
    with create_database(settings) as store, open_hub(settings, store, clock=Ticking(NOW)) as hub:
        for sent in notices():
            hub.flow.take([sent.envelope])
        yield store, hub


def source_of(sent: Sent) -> dict[str, Any]:
    """Return the detection of a packet."""
    packet = fastavro.schemaless_reader(io.BytesIO(sent.payload[5:]), lsst_packets.schema("10.0"))
    found: dict[str, Any] = packet["diaSource"]
    return found


def through(stream: str, sent: Sent, classification: str | None = None) -> Envelope:
    """Return the alert as a broker sends it."""
    if stream == "fink-lsst":
        payload = contained(KEY, sent.payload[5:])
    else:
        wanted = (
            "diaSourceId",
            "diaObjectId",
            "ra",
            "dec",
            "midpointMjdTai",
            "psfFlux",
            "psfFluxErr",
            "snr",
            "band",
            "reliability",
        )
        row = {name: source_of(sent)[name] for name in (*wanted, "isNegative")}
        said = {} if classification is None else {"classification": classification}
        body = {"diaObjectId": row["diaObjectId"], "alert": {"diaObject": {}, "diaSourcesList": [row]}, **said}
        payload = json.dumps(body).encode()
    return dataclasses.replace(sent.envelope, payload=payload, source=stream, alert_stream=stream)


def finish(hub: Hub) -> None:
    while hub.flow.step():
        pass


def fading(store: Store) -> Candidate:
    with store.reading() as session:
        (found,) = candidates.search(session, event_id="S260301b", object_id=FADING, hypothesis="kilonova")
        return found


def pair(store: Store) -> Coincidence:
    with store.reading() as session:
        (found,) = coincidences.search(session, object_id=f"LSST:{FADING}", event_id="S260301b")
        return found


def term(one: Candidate) -> dict[str, Any]:
    (score,) = [score for score in one.scores if score.statistic == "classification"]
    return {"value": score.value, **score.inputs}


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    """The candidate of a hub to which one broker brings each alert once."""
    with hub_of(tmp_path_factory.mktemp("once"), *STREAMS) as (store, hub):
        for sent in PACKETS:
            hub.flow.take([through("fink-lsst", sent)])
        finish(hub)
        return fading(store)


@pytest.mark.parametrize("order", [("fink-lsst", "lasair-lsst"), ("lasair-lsst", "fink-lsst")])
def test_one_source_id_through_several_brokers_is_one_detection(tmp_path: Path, once: Candidate, order: tuple[str, str]) -> None:
    with hub_of(tmp_path, *STREAMS) as (store, hub):
        for sent in PACKETS:
            for stream in order:
                hub.flow.take([through(stream, sent)])
        finish(hub)
        found = fading(store)
        # Fuller versions of a detection are stored beside it; whoever reads gets each detection once.
        everywhere = np.array([0], dtype=np.int64), np.array([N_PIX29], dtype=np.int64)
        rows = hub.history.in_region(*everywhere, NOW.plus_s(-1e8), NOW.plus_s(1e8))
        read = [one for batch in rows for one in batch.source_id.tolist()]
        assert sorted(map(int, read)) == sorted({source_of(sent)["diaSourceId"] for sent in PACKETS})
        with store.reading() as session:
            books = {one.source: one for one in envelopes.counts(session)}
            assert envelopes.law_holds(list(books.values()))
    assert found.n_detections == once.n_detections > 1
    assert (found.first_detection, found.last_detection, found.confirmed) == (
        once.first_detection,
        once.last_detection,
        once.confirmed,
    )
    assert [one.statistic for one in found.scores] == [one.statistic for one in once.scores]


def test_a_brokers_class_counts_with_source_time_and_version_and_a_spectrum_outweighs_it(tmp_path: Path) -> None:
    with hub_of(tmp_path, *STREAMS) as (store, hub):
        for sent in PACKETS:
            hub.flow.take([through("fink-lsst", sent)])
        finish(hub)
        before = fading(store)
        of_object = [sent for sent in PACKETS if str(source_of(sent)["diaObjectId"]) == FADING]
        hub.flow.take([through("lasair-lsst", of_object[-1], "VS")])
        finish(hub)
        by_broker = fading(store)
        assert by_broker.n_detections == before.n_detections
        said = term(by_broker)
        (statement,) = said["statements"]
        assert said["value"] < 0
        assert (statement["source"], statement["class"]) == ("lasair", "VS")
        assert statement["stated_at"]
        assert "version" in statement
        assert any(one.startswith("classification -") and "lasair says VS on 2026-03-" in one for one in by_broker.reasons)
        spectrum = dataclasses.replace(
            PACKETS[0].envelope, payload=table({"type": "Kilonova"}), source="file", trust=Trust.TRUSTED, topic=None
        )
        hub.flow.take([spectrum])
        finish(hub)
        promoted = fading(store)
        assert term(promoted)["value"] == 6.0
        assert any("TNS says Kilonova on 2026-03-02, which promotes it" in one for one in promoted.reasons)
        assert promoted.score > before.score > by_broker.score
        found = pair(store)
        assert found.state is PairState.OPEN
        with store.reading() as session:
            _, lines = queries.explained_coincidence(session, found.coincidence_id)
            (body,) = queries.candidate_page(
                session, event_name="S260301b", object_id=FADING, hypothesis="kilonova", limit=9
            ).bodies
        assert {line.score.statistic for line in lines if line.agrees} >= {"classification", "rank"}
        named = {(one["source"], one["kind"]) for one in body["annotations"]}
        assert {("TNS", "name"), ("TNS", "classification"), ("lasair", "classification")} <= named


def test_a_spectrum_of_something_else_demotes_with_its_reason_and_takes_the_announcement_back(tmp_path: Path) -> None:
    with hub_of(tmp_path, *STREAMS) as (store, hub):
        for sent in PACKETS:
            hub.flow.take([through("fink-lsst", sent)])
        finish(hub)
        before = fading(store)
        hub.flow.take([dataclasses.replace(PACKETS[0].envelope, payload=table({}), source="file", topic=None)])
        finish(hub)
        after = fading(store)
        assert term(after)["value"] == -7.0
        assert after.score == pytest.approx(before.score - 7.0)
        assert any("TNS says SN Ia on 2026-03-02, which demotes it" in one for one in after.reasons)
