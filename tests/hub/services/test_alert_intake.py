"""Batches of alert packets: archived, then booked with their places in one transaction; nothing is passed over."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.archive.history import ArchiveHistory
from hub.errors import StorageError
from hub.model.alert import AlertBatch, ObjectStatement, Words
from hub.model.envelope import Envelope, Trust
from hub.model.packets import PacketBatch
from hub.ports import AlertRows, Position
from hub.services.alert_intake import HOLDS_NOTHING, AlertIntake
from hub.services.watch import law_alarms
from hub.storage import annotations, deadletters, envelopes, positions
from hub.storage.engine import Store
from tests.support.histories import history_of
from tests.support.words import T0, alerts


class ToyDecoder:
    """``ok N`` is alert N, ``bad`` is refused, ``held`` waits, ``nothing`` gives nothing, ``says N`` has a statement, ``crash``."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def decode_packets(self, payloads: Sequence[bytes], alert_stream: str | None = None) -> AlertRows:
        self.sizes.append(len(payloads))
        rows, index, refused, held, said = [], [], [], [], []
        for number, payload in enumerate(payloads):
            match payload.decode().split():
                case ["ok", *ids]:
                    rows += [{"source_id": int(one)} for one in ids]
                    index += [number] * len(ids)
                case ["says", source_id]:
                    rows.append({"source_id": int(source_id)})
                    index.append(number)
                    said.append((number, statement(int(source_id))))
                case ["bad"]:
                    refused.append((number, "ra is not finite"))
                case ["held"]:
                    held.append((number, "schema 7 is not here"))
                case ["crash", *_]:
                    raise RuntimeError("a bug")
        batches = ((alerts(*rows),), (np.array(index),)) if rows else ((), ())
        return AlertRows(
            batches=batches[0], message_index=batches[1], refused=tuple(refused), held=tuple(held), statements=tuple(said)
        )


def statement(source_id: int) -> ObjectStatement:
    return ObjectStatement(
        survey="LSST",
        object_id="o1",
        source_id=source_id,
        mid_tai_us=T0.tai_us,
        ra_deg=1.0,
        dec_deg=2.0,
        source="broker",
        kind="classification",
        value={"class": "SN", "probability": 0.9},
        version="1",
    )


def packets(*texts: str, source: str = "rubin", trust: Trust = Trust.TRUSTED) -> PacketBatch:
    n = len(texts)
    return PacketBatch(
        payloads=[text.encode() for text in texts],
        source=source,
        received_at=T0,
        topic=Words.constant("lsst", n),
        partition=np.full(n, 3, dtype=np.int32),
        offset=np.arange(100, 100 + n),
        alert_stream="lsst",
        trust=trust,
    )


RUN = Position(topic="lsst", partition=3, first_offset=100, next_offset=104, n_messages=4)


class Noting:
    """A history that notes what it is given, and fails when told to."""

    def __init__(self, store: Store) -> None:
        self._history = history_of(store)
        self.given: list[AlertBatch] = []
        self.failure: str | None = None

    def append(self, batch: AlertBatch) -> NDArray[np.bool_]:
        if self.failure is not None:
            raise StorageError(self.failure)
        self.given.append(batch)
        return self._history.append(batch)


@pytest.fixture
def history(store: Store) -> Noting:
    return Noting(store)


@pytest.fixture
def decoder() -> ToyDecoder:
    return ToyDecoder()


@pytest.fixture
def intake(store: Store, history: Noting, decoder: ToyDecoder) -> AlertIntake:
    return AlertIntake(store=store, decoder=decoder, history=history, clock=lambda: T0)


def books(store: Store) -> tuple[int, int, int, int]:
    with store.reading() as session:
        (one,) = envelopes.counts(session)
    return one.received, one.stored, one.duplicates, one.dead_letters


def test_rows_are_archived_with_their_places_and_the_books_know_every_packet(store, intake, history) -> None:
    report = intake.accept(packets("ok 1", "ok 2 3", "bad", "ok 1"), [RUN])
    assert books(store) == (5, 3, 1, 1)
    assert report.n_alerts.tolist() == [1, 2, 0, 1]
    assert report.is_fresh.tolist() == [True, True, False, False]
    assert report.reasons == {2: "ra is not finite"}
    (given,) = history.given
    assert given.source_id.tolist() == [1, 2, 3]
    assert given.provenance.topic.texts() == ["lsst"] * 3
    assert (given.provenance.partition.tolist(), given.provenance.offset.tolist()) == ([3, 3, 3], [100, 101, 101])
    assert report.alerts[0].payloads == (b"ok 1", b"ok 2 3", b"ok 2 3")
    with store.reading() as session:
        assert positions.places(session, "rubin")["lsst", 3].next_offset == 104
        (letter,) = deadletters.listing(session)
        raw = envelopes.raw(session, letter.digest)
    assert (raw.payload, raw.position, raw.topic, raw.alert_stream) == (b"bad", "lsst/3/102", "lsst", "lsst")


def test_a_batch_that_comes_again_is_known_and_matched_again(store, intake) -> None:
    batch = packets("ok 1", "ok 2", "bad")
    intake.accept(batch, [RUN])
    again = intake.accept(batch, [RUN])
    assert books(store) == (6, 2, 3, 1)
    assert again.is_fresh.tolist() == [False, False, False]
    assert [len(one.batch) for one in again.alerts] == [2]
    with store.reading() as session:
        (place,) = positions.listing(session)
    assert (place.next_offset, place.missing) == (104, 0)


def test_a_packet_that_leads_to_nothing_is_kept_and_said(store, intake) -> None:
    report = intake.accept(packets("ok 1", "nothing"))
    assert report.reasons == {1: HOLDS_NOTHING}
    assert books(store) == (2, 1, 0, 1)


def test_a_packet_whose_schema_nobody_knows_is_held(store, intake) -> None:
    intake.accept(packets("held"))
    with store.reading() as session:
        (letter,) = deadletters.listing(session)
    assert (letter.kind, letter.reason) == (deadletters.LetterKind.HELD, "schema 7 is not here")


def test_packets_that_break_the_decoder_are_found_by_halving(store, intake, decoder) -> None:
    texts = [f"ok {number}" for number in range(1, 65)]
    texts[17], texts[50] = "crash 1", "crash 2"
    report = intake.accept(packets(*texts))
    assert report.reasons == dict.fromkeys((17, 50), "internal error: RuntimeError")
    assert books(store) == (64, 62, 0, 2)
    assert report.n_alerts.tolist() == [int(number not in (17, 50)) for number in range(64)]
    assert report.alerts[0].batch.source_id.tolist() == [n for n in range(1, 65) if n not in (18, 51)]
    assert len(decoder.sizes) < 30


def test_what_brokers_say_is_kept_from_trusted_sources_and_left_out_where_there_is_no_time(store, intake) -> None:
    def recorded() -> int:
        with store.reading() as session:
            return len(annotations.search(session, limit=9))

    intake.accept(packets("says 1", trust=Trust.UNTRUSTED))
    assert recorded() == 0
    assert intake.accept(packets("says 1"), in_full=False).n_statements_left == 1
    assert recorded() == 0
    assert intake.accept(packets("says 1")).n_statements_left == 0
    assert recorded() == 1


def test_a_history_that_takes_nothing_leaves_neither_books_nor_places(store, intake, history) -> None:
    history.failure = "the disk is full"
    with pytest.raises(StorageError, match="the disk is full"):
        intake.accept(packets("ok 1", "bad"), [RUN])
    with store.reading() as session:
        assert envelopes.counts(session) == []
        assert positions.listing(session) == []
        assert deadletters.listing(session) == []
    history.failure = None
    intake.accept(packets("ok 1", "bad"), [RUN])
    assert books(store) == (2, 1, 0, 1)


def test_a_row_that_is_lost_on_the_way_breaks_the_law(store, intake, monkeypatch) -> None:
    keep = AlertIntake._append

    def careless(self, rows, batch):
        """Lose the last row before it is archived."""
        fewer = AlertRows(
            batches=tuple(one.take(np.arange(len(one) - 1)) for one in rows.batches),
            message_index=tuple(one[:-1] for one in rows.message_index),
            refused=rows.refused,
        )
        return keep(self, fewer, batch)

    intake.accept(packets("ok 1", "ok 2", "bad"))
    with store.reading() as session:
        assert law_alarms(session) == []
    monkeypatch.setattr(AlertIntake, "_append", careless)
    intake.accept(packets("ok 3", "ok 4", "bad"))
    with store.reading() as session:
        (alarm,) = law_alarms(session)
    assert "the books of source rubin do not balance" in alarm


def test_messages_of_other_ways_keep_their_own_envelope_among_the_dead_letters(store, intake) -> None:
    sent = Envelope(payload=b"bad", source="file", received_at=T0, position="night/7.avro", trust=Trust.TRUSTED)
    intake.accept(PacketBatch.of([sent]), envelope=lambda _: sent)
    with store.reading() as session:
        (letter,) = deadletters.listing(session)
        assert envelopes.raw(session, letter.digest).position == "night/7.avro"


def test_rows_that_were_archived_and_not_booked_are_booked_as_stored_when_they_come_again(store, tmp_path, decoder) -> None:
    archive = ArchiveHistory(tmp_path / "archive")

    def worker() -> AlertIntake:
        return AlertIntake(store=store, decoder=decoder, history=archive, clock=lambda: T0)

    first, second = packets("ok 1", "ok 2"), packets("ok 1", "ok 2", "ok 3", "ok 1")
    dying = worker()
    dying._append(dying._decoded(first.payloads, "lsst"), first)  # and then it is killed
    assert archive.count() == 2
    report = worker().accept(second, [RUN])
    assert books(store) == (4, 3, 1, 0)
    assert report.is_fresh.tolist() == [True, True, True, False]
    assert worker().accept(second, [RUN]).is_fresh.tolist() == [False] * 4  # booked, and perhaps not matched
    assert books(store) == (8, 3, 5, 0)


def test_repeats_under_other_offsets_are_duplicates_whoever_comes(store, tmp_path, decoder) -> None:
    archive = ArchiveHistory(tmp_path / "archive")
    AlertIntake(store=store, decoder=decoder, history=archive, clock=lambda: T0).accept(packets("ok 1", "ok 2"), [RUN])
    again = replace(packets("ok 1", "ok 2"), offset=np.array([104, 105]))
    run = replace(RUN, first_offset=104, next_offset=106, n_messages=2)
    AlertIntake(store=store, decoder=decoder, history=archive, clock=lambda: T0).accept(again, [run])
    assert books(store) == (4, 2, 2, 0)


def test_what_a_longer_batch_left_unbooked_is_found_by_shorter_ones(store, tmp_path, decoder) -> None:
    archive = ArchiveHistory(tmp_path / "archive")
    whole = packets(*(f"ok {number}" for number in range(1, 10)))
    dying = AlertIntake(store=store, decoder=decoder, history=archive, clock=lambda: T0)
    dying._append(dying._decoded(whole.payloads, "lsst"), whole)
    intake = AlertIntake(store=store, decoder=decoder, history=archive, clock=lambda: T0)
    for first in (0, 3, 6):
        part = replace(
            whole,
            payloads=whole.payloads[first : first + 3],
            topic=Words.constant("lsst", 3),
            partition=whole.partition[:3],
            offset=whole.offset[first : first + 3],
        )
        run = replace(RUN, first_offset=100 + first, next_offset=103 + first, n_messages=3)
        intake.accept(part, [run])
    assert books(store) == (9, 9, 0, 0)


@pytest.mark.parametrize("is_alone", [True, False])
def test_rows_of_another_worker_that_died_are_booked_by_one_that_gave_the_partition_away_and_got_it_back(
    store, tmp_path, decoder, is_alone: bool
) -> None:
    archive = ArchiveHistory(tmp_path / "archive")

    def worker() -> AlertIntake:
        return AlertIntake(store=store, decoder=decoder, history=archive, clock=lambda: T0)

    first, second = worker(), worker()
    run = replace(RUN, next_offset=102, n_messages=2)
    first.accept(replace(packets("ok 1", "ok 2"), offset=np.array([100, 101])), [run])
    again = replace(packets("ok 3", "ok 4", "ok 5"), offset=np.array([102, 103, 104]))
    second._append(second._decoded(again.payloads, "lsst"), again)  # the partition is its, and then it is killed
    taken_up = replace(RUN, first_offset=102, next_offset=102, n_messages=0)
    run = replace(RUN, first_offset=102, next_offset=105, n_messages=3)
    if is_alone:  # nothing came in the take in which the partition was dealt out anew
        first.take_up("rubin", [taken_up])
    first.accept(again, [run] if is_alone else [taken_up, run])
    assert books(store) == (5, 5, 0, 0)
    assert first.accept(again, [run]).is_fresh.tolist() == [False] * 3
    assert books(store) == (8, 5, 3, 0)
