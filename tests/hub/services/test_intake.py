"""Intake: nothing is lost, nothing is counted twice, whatever arrives and wherever it stops."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from hub.errors import DecodeError, SkymapRefused
from hub.model.alert import AlertDetail
from hub.model.envelope import Envelope, Trust
from hub.model.notice import Role
from hub.model.outgoing import Outgoing
from hub.model.sky import Circle, Skymap, StatedPosition
from hub.ports import AlertRows, Decoded, DecodedAlerts, DecodedContext, DecodedNotice
from hub.resources import read_text
from hub.science.localization_table import load_localization_table
from hub.services import deadletters
from hub.services.intake import Intake, IntakeSettings
from hub.storage import envelopes, events, jobs, localizations, notices, outbox
from hub.storage.engine import Store, open_store, upgrade
from hub.storage.envelopes import MessageState, law_holds
from tests.support.histories import history_of
from tests.support.words import T0, alerts, notice


class ToyDecoder:
    """A wire format of one line: ``notice KEY``, ``alerts N BAD``, ``context``, ``crash``; a zero and a number is one alert."""

    def __init__(self) -> None:
        self.is_fixed = False
        self.dies = False

    def decode(self, envelope: Envelope) -> Decoded:
        if self.dies:
            raise KeyboardInterrupt
        word, *rest = envelope.payload.decode().split()
        match word:
            case "notice":
                return DecodedNotice(notice=self._notice(rest))
            case "alerts" | "\x00":
                return DecodedAlerts(format="toy")
            case "context":
                return DecodedContext(kind="circular", format="toy")
            case "crash" if not self.is_fixed:
                raise RuntimeError("a bug")
            case "crash":
                return DecodedNotice(notice=notice("S9"))
            case _:
                raise DecodeError("not a message", format="toy")

    def _notice(self, rest: Sequence[str]):
        key, *words = rest
        changes: dict[str, object] = {"identity": key}
        if "test" in words:
            changes["role"] = Role.TEST
        if "own" in words:
            changes["ivorn"] = "ivo://me/coincidence#1.v1"
        if "map" in words:
            changes["skymap"] = b"map"
        if "page" in words:
            changes["skymap_refused"] = "the embedded map is neither FITS nor gzip"
        if "map" in words or "page" in words:
            changes["position"] = StatedPosition(ra_deg=10.0, dec_deg=20.0, region=Circle(radius_deg=2.0), containment=0.9)
        return notice(key, **changes)

    def decode_packets(self, payloads: Sequence[bytes], alert_stream: str | None = None) -> AlertRows:
        rows, index, refused = [], [], []
        for number, payload in enumerate(payloads):
            _, *rest = payload.decode().split()
            if rest[0] == "crash":
                raise RuntimeError("a bug")
            if rest[0] == "bad":
                refused.append((number, "ra is not finite"))
                continue
            if payload[:1] == b"\x00":
                rows.append({"source_id": int(rest[0])})
                index.append(number)
                continue
            rows += [{"source_id": 1000 + i} for i in range(int(rest[0]))]
            index += [number] * int(rest[0])
            refused += [(number, "snr is negative")] * int(rest[1])
        if not rows:
            return AlertRows(batches=(), message_index=(), refused=tuple(refused))
        return AlertRows(batches=(alerts(*rows),), message_index=(np.array(index),), refused=tuple(refused))

    def decode_details(self, payload: bytes) -> list[AlertDetail | DecodeError]:
        raise NotImplementedError


class NoMaps:
    def read(self, data: bytes) -> tuple[Skymap, tuple[str, ...]]:
        raise SkymapRefused("one pixel is NaN")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/hub.db"
    upgrade(url)
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def decoder() -> ToyDecoder:
    return ToyDecoder()


@pytest.fixture
def intake(store: Store, decoder: ToyDecoder) -> Intake:
    return Intake(
        store=store,
        decoder=decoder,
        skymaps=NoMaps(),
        localizations=load_localization_table(read_text("conf/localizations.toml")),
        history=history_of(store),
        clock=lambda: T0,
        settings=IntakeSettings(authority="me"),
    )


def env(text: str, source: str = "gcn", trust: Trust = Trust.TRUSTED) -> Envelope:
    return Envelope(payload=text.encode(), source=source, received_at=T0, trust=trust)


def books(store: Store, source: str = "gcn") -> tuple[int, int, int, int, int]:
    with store.reading() as session:
        counts = envelopes.counts(session)
    assert law_holds(counts)
    one = next(c for c in counts if c.source == source)
    return one.received, one.stored, one.duplicates, one.dead_letters, one.in_flight


def test_a_notice_is_stored_with_its_event_and_a_job(store: Store, intake: Intake) -> None:
    report = intake.accept([env("notice S1")])
    assert report.outcomes[0].state is MessageState.STORED
    assert report.event_ids == {"S1"}
    with store.reading() as session:
        event = events.get(session, "S1")
        assert event is not None
        assert event.is_live
        assert [job.key for job in jobs.take(session, 9)] == ["S1"]
    assert books(store) == (1, 1, 0, 0, 0)


def test_a_replay_is_a_duplicate_and_other_bytes_a_revision(store: Store, intake: Intake) -> None:
    report = intake.accept([env("notice S1"), env("notice S1"), env("notice  S1"), env("notice S1", "vtp")])
    assert [one.state.value for one in report.outcomes] == ["stored", "duplicate", "stored", "duplicate"]
    assert report.outcomes[2].is_revision
    assert books(store) == (3, 2, 1, 0, 0)
    assert books(store, "vtp") == (1, 0, 1, 0, 0)
    with store.reading() as session:
        assert len(notices.of_event(session, "S1")) == 2


@pytest.mark.parametrize("trusted_first", [True, False])
def test_a_notice_is_trusted_if_any_source_is_whatever_the_order(store: Store, intake: Intake, trusted_first: bool) -> None:
    pair = [env("notice S1", "vtp", Trust.UNTRUSTED), env("notice S1")]
    for one in pair[::-1] if trusted_first else pair:
        intake.accept([one])
    with store.reading() as session:
        event = events.get(session, "S1")
    assert event is not None
    assert event.is_live


def test_test_messages_group_apart_unless_the_id_is_a_mock(intake: Intake) -> None:
    report = intake.accept([env("notice S230518h test"), env("notice MS230518h test"), env("notice S230518h")])
    assert [one.event_id for one in report.outcomes] == ["S230518h-test", "MS230518h", "S230518h"]


@pytest.mark.parametrize(("word", "why"), [("map", "one pixel is NaN"), ("page", "the embedded map is neither FITS nor gzip")])
def test_a_refused_map_falls_back_to_the_cone_and_says_so(store: Store, intake: Intake, word: str, why: str) -> None:
    intake.accept([env(f"notice S1 {word}")])
    with store.reading() as session:
        stored = notices.of_event(session, "S1")[0]
        assert stored.localization_id is not None
        assert localizations.get(session, stored.localization_id) is not None
    assert stored.remarks == (f"The sky map is not usable: {why}",)


class Replayed:
    """Takes letters in again without anything that follows."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def replay(self, digest: str):
        report = self._intake.retry(digest)
        return report and report.outcomes[0]


def test_one_bad_message_stops_no_other_and_can_be_replayed_or_dropped(store: Store, intake: Intake, decoder: ToyDecoder) -> None:
    report = intake.accept([env("junk"), env("crash"), env("context"), env("notice S1")])
    assert [one.state.value for one in report.outcomes] == ["dead", "dead", "stored", "stored"]
    assert [one.reason for one in report.outcomes[:2]] == ["not a message", "internal error: RuntimeError"]
    assert books(store) == (4, 2, 0, 2, 0)
    junk, crash = env("junk").digest, env("crash").digest
    assert deadletters.replay(store, Replayed(intake), crash).state is MessageState.DEAD
    assert deadletters.show(store, crash[:12]).letter.tries == 2
    assert books(store) == (4, 2, 0, 2, 0)
    decoder.is_fixed = True
    assert deadletters.replay(store, Replayed(intake), crash).state is MessageState.STORED
    assert books(store) == (4, 3, 0, 1, 0)
    deadletters.drop(store, junk)
    assert deadletters.listing(store) == []
    assert books(store) == (4, 3, 0, 1, 0)


def test_a_crash_between_reception_and_understanding_loses_nothing(store: Store, intake: Intake, decoder: ToyDecoder) -> None:
    decoder.dies = True
    with pytest.raises(KeyboardInterrupt):
        intake.accept([env("notice S1"), env("junk"), env("alerts 3 0")])
    assert books(store) == (3, 0, 0, 0, 3)
    decoder.dies = False
    intake.accept([env("notice S1")])  # its source was not acknowledged and sends it again
    report = intake.resume()
    assert {one.state.value for one in report.outcomes} == {"stored", "dead"}
    assert books(store) == (6, 4, 1, 1, 0)
    assert intake.resume().outcomes == ()


def test_packets_are_counted_one_by_one_and_bad_ones_kept(store: Store, intake: Intake) -> None:
    batch = [env("\x00 1"), env("\x00 2"), env("\x00 1"), env("\x00 bad")]
    report = intake.accept(batch)
    assert [one.state.value for one in report.outcomes] == ["stored", "stored", "duplicate", "dead"]
    assert [len(one.batch) for one in report.alerts] == [2]
    assert report.alerts[0].payloads == (b"\x00 1", b"\x00 2")
    assert books(store) == (4, 2, 1, 1, 0)
    again = intake.accept(batch)
    assert [len(one.batch) for one in again.alerts] == [2]  # matched again: a crash may have come before
    assert books(store) == (8, 2, 5, 1, 0)


def test_a_packet_that_breaks_the_decoder_stops_no_other(store: Store, intake: Intake) -> None:
    report = intake.accept([env("\x00 1"), env("\x00 crash"), env("\x00 2")])
    assert [one.state.value for one in report.outcomes] == ["stored", "dead", "stored"]
    assert books(store) == (3, 2, 0, 1, 0)


def test_a_container_counts_its_alerts_and_is_kept_only_if_some_are_refused(store: Store, intake: Intake) -> None:
    intake.accept([env("alerts 3 0")])
    assert books(store) == (3, 3, 0, 0, 0)
    intake.accept([env("alerts 3 0"), env("alerts 2 2")])
    assert books(store) == (9, 3, 5, 1, 0)
    with store.reading() as session:
        assert envelopes.raw(session, env("alerts 3 0").digest) is None
        assert envelopes.raw(session, env("alerts 2 2").digest) is not None


def test_containers_that_come_together_are_archived_together(store: Store, intake: Intake) -> None:
    report = intake.accept([env("alerts 2 0"), env("alerts 3 0"), env("alerts 1 1"), env("alerts 3 0")])
    assert [one.state.value for one in report.outcomes] == ["stored", "stored", "dead", "duplicate"]
    assert [len(one.batch) for one in report.alerts] == [3]
    # Rows: 2 new, 1 of 3 new, none of 1 new. One letter; the second arrival of a container that is not kept counts as one message.
    assert books(store) == (8, 3, 4, 1, 0)
    with store.reading() as session:
        assert envelopes.raw(session, env("alerts 3 0").digest) is None


def test_a_container_that_breaks_the_decoder_stops_no_other(store: Store, intake: Intake) -> None:
    report = intake.accept([env("alerts 2 0"), env("alerts crash"), env("alerts 3 0")])
    assert [one.state.value for one in report.outcomes] == ["stored", "dead", "stored"]
    assert [len(one.batch) for one in report.alerts] == [2, 3]
    assert books(store) == (6, 3, 2, 1, 0)


def test_our_own_message_is_an_echo_and_a_forged_one_is_refused(store: Store, intake: Intake) -> None:
    assert intake.accept([env("notice S1 own")]).outcomes[0].state is MessageState.DEAD
    ours = Outgoing(
        ivorn="ivo://me/coincidence#1.v1",
        media_type="x",
        payload=b"",
        destination="f",
        role=Role.TEST,
        cites=(),
        created_at=T0,
    )
    with store.transaction() as session:
        outbox.put(session, ours)
    assert intake.accept([env("notice S2 own")]).outcomes[0].state is MessageState.DUPLICATE
    with store.reading() as session:
        assert events.all_ids(session) == []
    assert books(store) == (2, 0, 1, 1, 0)
