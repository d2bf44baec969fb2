"""A hub that hears a survey through a broker's filter only: it finds the same objects and claims less of them."""

import dataclasses
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lxml import etree
from starlette.testclient import TestClient

from adapters.contained import contained
from hub import resources
from hub.api.app import create_app
from hub.bootstrap import Hub, create_database, open_hub
from hub.cli.app import main
from hub.config import IntakeSection, Settings, SourceSection
from hub.errors import ConfigError
from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant
from hub.storage import candidates, deadletters, envelopes, outbox
from hub.storage.engine import Store
from tests.support import lsst_packets
from tests.support.small_world import NOW, Sent, Ticking, alerts, notices, settings_in

REMARK = "coverage: LSST is heard only through fink-lsst (what the Fink filter of each topic lets through): that nothing else was"
KEY = json.dumps(lsst_packets.plain_schema("10.0")).encode()


def settings(folder: Path, **streams: str) -> Settings:
    """Return the settings of a hub whose sources listen to these streams."""
    sources = {
        name: SourceSection.model_validate({"kind": "kafka", "topics": ["x"], "group_id": "g", "stream": stream})
        for name, stream in streams.items()
    }
    return settings_in(folder).model_copy(update={"sources": sources})


@contextmanager
def hub_of(settings: Settings) -> Iterator[tuple[Store, Hub]]:
    settings.hub.data_dir.mkdir(parents=True, exist_ok=True)
    with create_database(settings) as store, open_hub(settings, store, clock=Ticking(NOW)) as hub:
        yield store, hub


def bring(hub: Hub, sent: Sequence[Sent], source: str | None = None, stream: str | None = None) -> None:
    """Bring messages; alerts as a source with a stream map brings them."""
    for one in sent:
        envelope = one.envelope
        if stream is not None:
            payload = one.payload if stream == "lsst" else contained(KEY, one.payload[5:])
            envelope = dataclasses.replace(envelope, payload=payload, source=source, alert_stream=stream)
        hub.flow.take([envelope])


def of_the_merger(store: Store) -> dict[str, Any]:
    with store.reading() as session:
        found = candidates.of_event(session, "S260301b")
    return {f"{one.object_id} {one.hypothesis}": one for one in found}


PACKETS = [one for one in alerts() if one.payload[:1] == b"\0"]


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[tuple[Store, Hub], tuple[Store, Hub]]]:
    """The same night, heard in full and through a filter."""
    with ExitStack() as stack:
        found = []
        for stream in ("lsst", "fink-lsst"):
            store, hub = stack.enter_context(hub_of(settings(tmp_path_factory.mktemp(stream), rubin=stream)))
            bring(hub, notices())
            bring(hub, PACKETS, "rubin", stream)
            while hub.flow.step():
                pass
            found.append((store, hub))
        yield found[0], found[1]


def test_the_filtered_hub_finds_the_same_candidates_by_the_same_ids(nights):
    (full, _), (filtered, _) = nights
    assert of_the_merger(full)
    assert of_the_merger(filtered).keys() == of_the_merger(full).keys()


def test_its_reasons_say_what_it_does_not_hear(nights):
    (full, _), (filtered, _) = nights
    for name, candidate in of_the_merger(filtered).items():
        assert candidate.reasons[-1].startswith(REMARK), name
        assert not any(reason.startswith("coverage") for reason in of_the_merger(full)[name].reasons)
        (sky,) = [reason for reason in candidate.reasons if reason.startswith("sky")]
        assert sky.endswith("unrelated in the full stream") or "outside" in sky


def test_statistics_that_suppose_the_full_stream_have_no_value_and_the_score_is_without_them(nights):
    (full, _), (filtered, _) = nights
    silenced = set()
    for name, candidate in of_the_merger(filtered).items():
        scores = {one.statistic: one for one in candidate.scores}
        before = {one.statistic: one for one in of_the_merger(full)[name].scores}
        assert scores.keys() == before.keys()
        for statistic in {"fading", "luminosity", "reality"} & scores.keys():
            assert scores[statistic].value is None
            assert before[statistic].value is not None
            assert "filter" in scores[statistic].inputs["reason"]
            silenced.add(statistic)
        assert candidate.score == pytest.approx(sum(one.value for one in candidate.scores if one.value is not None))
    assert {"reality", "fading"} <= silenced


def test_what_is_announced_through_a_filter_that_is_known_to_be_blind_says_so_too(tmp_path: Path):
    shipped = resources.read_text("conf/streams/fink-lsst.toml")
    blind = 'kind = "filtered"\nindependent_of = ["light curve", "reliability"]'
    mine = tmp_path / "mine.toml"
    mine.write_text(shipped.replace('kind = "filtered"', blind).replace('"fink-lsst"', '"mine"'))
    with hub_of(settings(tmp_path / "hub", fink=str(mine))) as (store, hub):
        bring(hub, notices())
        bring(hub, PACKETS, "fink", str(mine))
        assert any("fading" in reason for one in of_the_merger(store).values() for reason in one.reasons)
        with store.reading() as session:
            sent = list(outbox.search(session, limit=500, with_payload=True))
    about_objects = [one.outgoing.payload for one in sent if one.outgoing.subject == "candidate"]
    assert about_objects
    for payload in about_objects:
        assert "LSST is heard only through mine" in " ".join(etree.fromstring(payload).itertext())


def test_the_books_balance_and_the_api_shows_the_selection(nights):
    for (store, _), kind in zip(nights, ("full", "filtered"), strict=True):
        with store.reading() as session:
            assert envelopes.law_holds(envelopes.counts(session))
        with TestClient(create_app(store)) as client:
            sources = {one["source"]: one for one in client.get("/api/v1/sources").json()["data"]}
        assert sources["rubin"]["alert_stream"]["selection"] == kind
        assert sources["rubin"]["stored"] == len({one.payload for one in PACKETS})
        assert sources["file"]["alert_stream"] is None
    assert sources["rubin"]["alert_stream"]["not_claimed"] == ["rates", "non-detections"]


def test_what_is_known_of_a_place_comes_with_what_is_not_heard(nights, capsys: pytest.CaptureFixture[str]):
    for (store, _), is_filtered in zip(nights, (False, True), strict=True):
        folder = Path(str(store.engine.url.database)).parent
        assert main(["--data-dir", str(folder), "what", "10", "80", "2026-03-01"]) == 3
        assert ("LSST is heard only through fink-lsst" in capsys.readouterr().err) is is_filtered


def heard_from_both(folder: Path, first: str, second: str) -> tuple[dict[str, Any], dict[str, tuple[int, int]], list[str]]:
    """Return candidates, what was stored and known before by source, and detections, where both bring the same packets in turn."""
    streams = {"rubin": "lsst", "fink": "fink-lsst"}
    with hub_of(settings(folder, **streams)) as (store, hub):
        bring(hub, notices())
        for source in (first, second):
            bring(hub, PACKETS, source, streams[source])
        with store.reading() as session:
            assert envelopes.law_holds(envelopes.counts(session))
            books = {one.source: (one.stored, one.duplicates) for one in envelopes.counts(session)}
        (detections,) = hub.history.in_region(np.array([0]), np.array([12 << 58]), Instant(0), Instant(1 << 62))
        return of_the_merger(store), books, sorted(map(repr, detections.rows()))


def test_a_hub_that_hears_both_claims_what_the_full_stream_allows(tmp_path: Path):
    found, books, detections = heard_from_both(tmp_path / "broker first", "fink", "rubin")
    assert found
    assert not any(reason.startswith("coverage:") for one in found.values() for reason in one.reasons)
    distinct = len({one.payload for one in PACKETS})
    # The survey's own packets state more than the broker's: they are later versions of the same detections, and hold.
    assert books["rubin"] == books["fink"] == (distinct, len(PACKETS) - distinct)
    assert len(detections) == distinct, "one source id through two streams is one detection"

    same, known, rows = heard_from_both(tmp_path / "survey first", "rubin", "fink")
    assert known["rubin"] == (distinct, len(PACKETS) - distinct)
    assert known["fink"] == (0, len(PACKETS)), "the broker tells nothing new"
    assert same == found
    assert rows == detections


def test_what_a_broker_says_of_an_object_is_kept_where_the_source_is_trusted(tmp_path: Path):
    message = {
        "diaObjectId": 169760235333878021,
        "classification": "SN",
        "alert": {
            "diaSourcesList": [
                {"diaSourceId": 5, "midpointMjdTai": 61100.5, "ra": 221.87, "dec": -38.16, "psfFlux": 1000.0, "band": "r"}
            ]
        },
    }
    with hub_of(settings(tmp_path, lasair="lasair-lsst")) as (store, hub):
        for source, days, trust in (("street", 0, Trust.UNTRUSTED), ("lasair", 1, Trust.TRUSTED), ("lasair", 1, Trust.TRUSTED)):
            message["alert"]["diaSourcesList"][0] |= {"diaSourceId": 5 + days, "midpointMjdTai": 61100.5 + days}
            payload = json.dumps(message).encode()
            hub.flow.take([Envelope(payload=payload, source=source, received_at=NOW, trust=trust, alert_stream="lasair-lsst")])
        with TestClient(create_app(store)) as client:
            found = client.get("/api/v1/annotations", params={"object": "LSST:169760235333878021"}).json()["data"]
    (one,) = found
    assert (one["kind"], one["value"], one["source"]) == ("classification", {"class": "SN", "alert": "6"}, "lasair")
    assert one["state"] == "stated"


def test_alerts_of_a_kafka_source_without_a_stream_map_are_never_taken_for_the_full_stream(tmp_path: Path):
    source = SourceSection.model_validate({"kind": "kafka", "topics": ["kilonovae"], "group_id": "g"})
    there = settings_in(tmp_path).model_copy(update={"sources": {"fink": source}})
    with hub_of(there) as (store, hub):
        bring(hub, notices())
        for one in PACKETS:
            hub.flow.take([dataclasses.replace(one.envelope, payload=one.payload, source="fink", alert_stream=None)])
        found = of_the_merger(store).values()
        assert found
        assert all(any("set `stream` in [sources.fink]" in reason for reason in one.reasons) for one in found)


def test_a_full_stream_that_is_only_configured_lifts_no_remark(tmp_path: Path):
    with hub_of(settings(tmp_path, rubin="lsst", fink="fink-lsst")) as (store, hub):
        bring(hub, notices())
        bring(hub, PACKETS, "fink", "fink-lsst")
        found = of_the_merger(store).values()
        assert found
        assert all(any(reason.startswith(REMARK) for reason in one.reasons) for one in found)


def test_streams_by_which_a_detection_would_count_twice_are_refused(tmp_path: Path):
    with (
        pytest.raises(ConfigError, match="the streams lasair-lsst-lite and lsst cannot be heard together"),
        hub_of(settings(tmp_path, rubin="lsst", lasair="lasair-lsst-lite")),
    ):
        pass


def test_a_packet_of_an_unknown_schema_is_held_and_read_once_the_schema_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    there = settings(tmp_path, rubin="lsst")
    good, newer = PACKETS[0], PACKETS[1]
    unknown = dataclasses.replace(newer, payload=b"\0" + (1200).to_bytes(4, "big") + newer.payload[5:])
    with hub_of(there) as (store, hub):
        bring(hub, [good, unknown, unknown], "rubin", "lsst")
        with store.reading() as session:
            (books,) = envelopes.counts(session)
        assert (books.received, books.stored, books.dead_letters, books.duplicates) == (3, 1, 1, 1)

    def run(*words: str) -> tuple[int, str]:
        code = main(["--config", str(tmp_path / "hub.toml"), "--data-dir", str(tmp_path), "deadletter", *words])
        return code, capsys.readouterr().out

    (tmp_path / "hub.toml").write_text(
        '[sources.rubin]\nkind = "kafka"\ntopics = ["x"]\ngroup_id = "g"\nstream = "lsst"\n[followup]\nenabled = false\n'
    )
    code, out = run("list", "--kind", "held", "--json")
    (letter,) = [json.loads(line) for line in out.splitlines()]
    assert (code, letter["kind"], letter["source"]) == (0, "held", "rubin")
    assert "schemas/1200.avsc" in letter["reason"]

    code, out = run("replay", "--kind", "held")
    assert (code, "nobody knows the schema 1200" in out) == (1, True)

    (tmp_path / "schemas").mkdir(exist_ok=True)
    (tmp_path / "schemas" / "1200.avsc").write_text(json.dumps(lsst_packets.plain_schema("10.0")))
    assert run("replay", "--kind", "held")[0] == 0
    assert run("list", "--kind", "held", "--json")[1] == ""
    with hub_of(there) as (store, hub):
        with store.reading() as session:
            (books,) = envelopes.counts(session)
            assert envelopes.law_holds([books])
        assert (books.stored, books.dead_letters) == (2, 0)
        bring(hub, [newer], "rubin", "lsst")  # the same alert, by a schema that was known all along
        with store.reading() as session:
            (books,) = envelopes.counts(session)
        assert books.stored == 2


def test_a_registry_that_hangs_stops_nobody_and_what_was_held_is_read_by_itself_when_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("hub.bootstrap.streams.SCHEMA_TIMEOUT_S", 60.0)
    answers, asked = threading.Event(), threading.Event()

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            assert answers.wait(60)
            body = json.dumps({"schema": json.dumps(lsst_packets.plain_schema("10.0"))}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    unknown = [dataclasses.replace(one, payload=b"\0" + (1200).to_bytes(4, "big") + one.payload[5:]) for one in PACKETS[:3]]
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        there = settings(tmp_path, rubin="lsst").model_copy(update={"intake": IntakeSection(schema_registry=url)})
        with hub_of(there) as (store, hub):
            chore = threading.Thread(target=hub.held.step)
            try:
                bring(hub, unknown, "rubin", "lsst")
                assert not asked.is_set(), "taking in asks nobody"
                chore.start()
                assert asked.wait(60)
                bring(hub, [PACKETS[3]], "rubin", "lsst")
                with store.reading() as session:
                    (books,) = envelopes.counts(session)
                assert (books.stored, books.dead_letters) == (1, 3)
            finally:
                answers.set()
                chore.join()
                server.shutdown()
                serving.join()
            assert hub.held.step() == 3
            assert hub.held.step() == 0
            with store.reading() as session:
                (books,) = envelopes.counts(session)
                assert envelopes.law_holds([books])
                assert not deadletters.listing(session)
            assert (books.stored, books.dead_letters) == (4, 0)


def test_a_registry_is_asked_once_for_an_unknown_schema_and_never_again_after_a_restart(tmp_path: Path):
    asked: list[str] = []

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps({"schema": json.dumps(lsst_packets.plain_schema("10.0"))}).encode()
            self.send_response(200 if self.path == "/schemas/ids/1200" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    packets = [dataclasses.replace(one, payload=b"\0" + (1200).to_bytes(4, "big") + one.payload[5:]) for one in PACKETS[:3]]
    other = dataclasses.replace(PACKETS[0], payload=b"\0" + (1300).to_bytes(4, "big") + PACKETS[0].payload[5:])
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            there = settings(tmp_path, rubin="lsst")
            url = f"http://127.0.0.1:{server.server_address[1]}"
            there = there.model_copy(update={"intake": IntakeSection(schema_registry=url)})
            for wanted in (packets[:2], [*packets[2:], other, other]):
                with hub_of(there) as (store, hub):
                    bring(hub, wanted, "rubin", "lsst")
                    while hub.held.step():
                        pass
        finally:
            server.shutdown()
            thread.join()
    assert asked == ["/schemas/ids/1200", "/schemas/ids/1300"]
    with hub_of(settings(tmp_path, rubin="lsst")) as (store, _), store.reading() as session:
        (books,) = envelopes.counts(session)
        (letter,) = deadletters.listing(session)
    assert (books.stored, books.dead_letters) == (3, 1)
    assert (letter.kind, "the schema registry is asked in the background" in letter.reason) == ("held", True), letter.reason
