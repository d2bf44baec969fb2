"""The past evaluated again, and a topic taken in, from the command line: nothing leaves unless it is wanted."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_INVALID
from sqlalchemy import delete

from hub.cli import rematch
from hub.cli.app import main
from hub.model.coincidence import PairState
from hub.storage import candidates, coincidences, envelopes, outbox, positions
from hub.storage.engine import Store, open_store
from hub.storage.tables import CandidateRow
from tests.support import small_world as world
from tests.support.kafka import Kafka
from tests.support.lsst_packets import container

EVENT = "S260301b"
FIRST, SECOND = world.detection(1, 101, 0.4, 9000.0), world.detection(2, 101, 0.9, 6000.0)
PACKETS = [world.packet(1, 101, 0.4, 9000.0), world.packet(2, 101, 0.9, 6000.0)]
OBJECT = "313000000000000101"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of a hub that knows of a merger."""
    folder = tmp_path_factory.mktemp("made")
    notice = folder / "merger.json"
    notice.write_bytes(world.merger(EVENT, "PRELIMINARY", 180, world.FIRST_PLACE))
    assert main(["--data-dir", str(folder / "data"), "ingest", "--quiet", str(notice)]) == 0
    return folder / "data"


@pytest.fixture
def told(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of it in the present folder."""
    shutil.copytree(made, tmp_path / "mmhub-data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MMHUB_HUB__DATA_DIR", "mmhub-data")


@pytest.fixture
def store(told: None) -> Iterator[Store]:
    opened = open_store("sqlite:///mmhub-data/hub.sqlite")
    yield opened
    opened.close()


def candidate(store: Store) -> "candidates.Candidate | None":
    with store.reading() as session:
        return candidates.get(session, EVENT, "LSST", OBJECT, "kilonova")


def sent(store: Store) -> int:
    with store.reading() as session:
        return len(outbox.search(session, limit=None))


def test_what_is_missing_is_written_again_and_nothing_is_announced(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    Path("alerts.avro").write_bytes(container("10.0", [FIRST, SECOND]))
    assert main(["ingest", "--quiet", "alerts.avro"]) == 0
    before, n_sent = candidate(store), sent(store)
    assert before is not None
    with store.transaction() as session:
        session.execute(delete(CandidateRow))
    capsys.readouterr()
    assert main(["rematch", "--since", "2026-03-01T00:00:00Z"]) == 0
    assert capsys.readouterr().out == "events: 1, candidates written: 1, coincidence versions written or let out: 0\n"
    assert candidate(store) == before
    assert main(["rematch", "--event", EVENT, "--announce", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"event_id": EVENT, "t0": said["t0"], "candidates": 0, "versions": 0, "broken": False}
    assert sent(store) == n_sent


def test_one_that_is_stopped_says_how_to_go_on(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: object) -> dict[str, object]:
        raise KeyboardInterrupt

    monkeypatch.setattr(rematch, "_line", stop)  # as Ctrl-C between two events
    assert main(["rematch", "--since", "2026-03-01T00:00:00Z", "--json"]) == 1
    assert "stopped after 1 of 1 events; go on with --since 2026-03-01T" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["rematch"], 1, "say which events: --since TIME, --event ID or both"),
        (["rematch", "--since", "yesterday"], 1, "--since is a UTC time"),
        (["rematch", "--event", "S9"], 3, "there is no event S9"),
        (["rematch", "--since", "2126-01-01"], 1, "--since 2126-01-01 lies in the future"),
        (["rematch", "--since", "2026-03-05"], 3, ""),
        (["rematch", "--event", EVENT, "--followup"], 1, "--followup needs --announce"),
        (["rematch", "--since", "2020-01-01"], 0, "alerts are kept for 400 days"),
        (["backfill", "t", "--source", "none", "--from", "2026-01-01"], 1, "there is no table [sources.none]"),
        (["backfill", "t", "--source", "rubin", "--from", "2126-01-01"], 1, "lies in the future"),
        (["backfill", "t", "--source", "rubin", "--from", "soon"], 1, "--from is a UTC time"),
    ],
)
def test_questions_that_make_no_sense_get_a_sentence(
    told: None, capsys: pytest.CaptureFixture[str], words: list[str], code: int, sentence: str
) -> None:
    if "rubin" in words:
        Path("mmhub.toml").write_text(settings("127.0.0.1:9", "t"))
    assert main(words) == code
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("topics", "code", "sentence"),
    [
        ({}, 1, "no source of the settings reads topics"),
        ({"rubin": "a", "ztf": "b"}, 1, "t may be of rubin or ztf: say which with --source NAME"),
        ({"rubin": "t", "ztf": "t"}, 1, "t may be of rubin or ztf: say which with --source NAME"),
        ({"rubin": "t", "ztf": "b"}, 1, "sources.rubin"),
        ({"rubin": "a", "ztf": "t"}, 1, "sources.ztf"),
        ({"ztf": "a"}, 1, "sources.ztf"),
    ],
)
def test_the_source_of_a_topic_is_that_which_names_it_or_the_only_one(
    told: None, capsys: pytest.CaptureFixture[str], topics: dict[str, str], code: int, sentence: str
) -> None:
    tables = [f"[sources.{name}]\nkind = 'kafka'\ntopics = ['{topic}']\nnonsense = 1\n" for name, topic in topics.items()]
    Path("mmhub.toml").write_text("\n".join(tables))  # what is chosen is told by the sentence about its options
    assert main(["backfill", "t", "--from", "2026-01-01"]) == code
    assert sentence in capsys.readouterr().err


def settings(bootstrap: str, topic: str) -> str:
    return (
        f"[sources.rubin]\nkind = 'kafka'\nstream = 'lsst'\ntopics = ['{topic}']\ngroup_id = 'rubin-{topic}'\n"
        f"bootstrap_servers = '{bootstrap}'\nsecurity = 'plaintext'\ntrust = 'trusted'\n"
    )


@pytest.mark.kafka
def test_a_topic_is_taken_in_without_a_word_as_often_as_one_likes(
    kafka: Kafka, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = kafka.create_topic(kafka.unique_topic("alerts"), partitions=2)
    for partition, payload in enumerate([*PACKETS, b"\x00junk"]):
        kafka.produce(topic, [(None, payload)], partition=partition % 2)
    Path("mmhub.toml").write_text(settings(kafka.bootstrap, topic))
    words = ["backfill", topic, "--from", "2026-01-01T00:00:00Z"]  # the only source that reads topics has it
    assert main(words) == 0
    assert capsys.readouterr().out == "packets: 3, alerts: 2, new: 2, refused: 1, matched: 2, candidates: 1\n"
    first = candidate(store)
    assert first is not None
    assert (first.state, first.n_detections) == (PairState.OPEN, 2)
    with store.reading() as session:
        (pair,) = coincidences.search(session)
        assert (pair.state, pair.version) == (PairState.OPEN, 1)
        assert positions.places(session, "rubin") == {}
        assert envelopes.law_holds(envelopes.counts(session))
    assert sent(store) == 0
    assert set(kafka.committed(f"rubin-{topic}", topic).values()) == {OFFSET_INVALID}
    assert main([*words, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["packets"], again["alerts"], again["new"], again["candidates"]) == (3, 2, 0, 0)
    assert candidate(store) == first
    assert sent(store) == 0


@pytest.mark.kafka
def test_what_follows_from_a_topic_is_announced_where_that_is_wanted(
    kafka: Kafka, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = kafka.create_topic(kafka.unique_topic("alerts"))
    kafka.produce(topic, [(None, payload) for payload in PACKETS])
    Path("mmhub.toml").write_text(settings(kafka.bootstrap, topic))
    assert main(["backfill", topic, "--source", "rubin", "--from", "2026-01-01T00:00:00Z", "--announce"]) == 0
    assert sent(store) == 1


@pytest.mark.kafka
def test_notices_are_not_taken_for_alerts(kafka: Kafka, told: None, capsys: pytest.CaptureFixture[str]) -> None:
    topic = kafka.create_topic(kafka.unique_topic("notices"))
    kafka.produce(topic, [(None, b'{"alert_type": "PRELIMINARY"}')])
    Path("mmhub.toml").write_text(settings(kafka.bootstrap, topic).replace("stream = 'lsst'\n", ""))
    assert main(["backfill", topic, "--source", "rubin", "--from", "2026-01-01T00:00:00Z"]) == 1
    assert "is no alert packet, and only alerts are taken in by backfill" in capsys.readouterr().err
