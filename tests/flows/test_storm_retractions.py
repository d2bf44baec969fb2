"""Thirty announced events are taken back within an hour, in a storm of mocks: each reader is told of each once, and of no mock.

The real ones are spread over three weeks, as they come; then, within an hour, the pipelines try themselves out and take back most
of what they said.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hub.bootstrap import Hub, open_hub
from hub.config import DestinationSection, FollowupSection, HubSection, Settings
from hub.model.coincidence import MemberKind, PairState
from hub.model.event import EventState
from hub.model.notice import Role
from hub.model.outgoing import Subject
from hub.ports import SkymapReader
from hub.resources import read_text
from hub.science.rules import load_rules
from hub.services.budget import budget_body
from hub.storage import announced, candidates, coincidences, events, groups, outbox
from hub.storage.outbox import OutboxState
from tests.support.flow_checks import check_books
from tests.support.json_notices import as_bytes, igwn_alert
from tests.support.readers import readers_of
from tests.support.small_world import DAY_S, NOW, Sent, Ticking, after, burst, deliver, fresh_sqlite, merger, packet
from tests.support.voevents import voevent

N_MOCKS = 500
N_REAL = 36
N_RETRACTED = 30
N_BURSTS_RETRACTED = 10
"""Of these, the burst is taken back, and not the merger."""

N_TWINS = 4
"""Of these, Swift saw the burst too: what was announced goes on with Swift's trigger."""

WITH_OBJECT = range(N_BURSTS_RETRACTED - 4, N_BURSTS_RETRACTED + 4)
"""Numbers of mergers that have a counterpart, too."""

SPACING_S = 0.6 * DAY_S
"""Between two real mergers: as many as come in a good week, and far from a storm."""

STORM_S = N_REAL * SPACING_S
"""When the storm begins, after the first merger."""

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """A merger with its burst."""

    number: int

    @property
    def event_id(self) -> str:
        """Of the merger."""
        return f"S2603{self.number + 1:02d}{chr(97 + self.number % 26)}{chr(97 + self.number // 26)}"

    @property
    def trigger(self) -> int:
        """Of the burst."""
        return 794_100_000 + 11 * self.number

    @property
    def t0_s(self) -> float:
        """After the first merger."""
        return self.number * SPACING_S

    @property
    def place(self) -> tuple[float, float, float]:
        """Centre and width of the map, degrees."""
        return (10.0 * self.number + 2.0) % 360.0, -40.0 + 8.0 * (self.number % 6), 3.0

    def arrives(self) -> Iterator[Sent]:
        """Yield what is said of it at its time."""
        ra, dec, _ = self.place
        payload = merger(self.event_id, "PRELIMINARY", self.t0_s + 120, self.place, time=after(self.t0_s))
        yield Sent(name=f"{self.event_id}", payload=payload, topic="igwn.gwalert")
        found = burst(self.trigger, self.t0_s + 2.0, self.t0_s + 40, (ra + 1.0, dec + 0.5, 3.0))
        yield Sent(name=f"burst {self.number}", payload=found, topic="gcn.notices.fermi.gbm")
        if self.number < N_TWINS:
            yield Sent(name=f"Swift {self.number}", payload=self._by_swift(), topic="gcn.classic.voevent.SWIFT_BAT_GRB_POS_ACK")
        if self.number in WITH_OBJECT:
            for night, (days, flux) in enumerate(((0.4, 9000.0), (1.4, 4000.0))):
                where = {"ra": ra, "dec": dec, "diaObjectId": 313_000_000_000_001_000 + self.number}
                source = 1_000 + 10 * self.number + night
                yield Sent(
                    name=f"object {self.number} {night}",
                    payload=packet(source, 101, self.t0_s / DAY_S + days, flux, **where),
                )

    def is_taken_back(self) -> Sent:
        """Return the retraction: of the burst or of the merger."""
        if self.number >= N_BURSTS_RETRACTED:
            taken_back = merger(self.event_id, "RETRACTION", STORM_S + HOUR_S / 2, None)
            return Sent(name=f"{self.event_id} retracted", payload=taken_back, topic="igwn.gwalert")
        ra, dec, _ = self.place
        changes = {"alert_type": "retraction", "subtype": "FINAL_POSITION", "record_number": 9}
        taken_back = burst(self.trigger, self.t0_s + 2.0, STORM_S + HOUR_S / 2, (ra + 1.0, dec + 0.5, 3.0), **changes)
        return Sent(name=f"burst {self.number} retracted", payload=taken_back, topic="gcn.notices.fermi.gbm")

    def _by_swift(self) -> bytes:
        ra, dec, _ = self.place
        number = 1_300_000 + self.number
        return voevent(
            ivorn=f"ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_{number}-100",
            params={"Packet_Type": 61, "TrigID": number, "Burst_Inten": 1000, "Def_NOT_a_GRB": "false"},
            time=after(self.t0_s + 2.5)[:-1],
            date=after(self.t0_s + 60)[:19],
            position=(ra + 1.0, dec + 0.5, 0.05),
        )


REAL = tuple(Real(number=number) for number in range(N_REAL))
RETRACTED = REAL[:N_RETRACTED]
GOES_ON = REAL[:N_TWINS]
N_OBJECTS_GONE = sum(number >= N_BURSTS_RETRACTED for number in WITH_OBJECT)


def mock(number: int) -> Sent:
    """Return a mock superevent, at the time and place of a real one where it can do the most harm."""
    beside = REAL[number % N_REAL] if number % 4 == 0 else None
    name = f"{'' if number % 3 else 'M'}S260401{_letters(number + 40)}"
    seconds = beside.t0_s + 0.01 * number if beside is not None else STORM_S + HOUR_S * number / N_MOCKS
    event = {**igwn_alert()["event"], "time": after(seconds)}
    event.pop("skymap", None)
    if number % 3:
        event["search"] = "MDC"
    created = after(STORM_S + HOUR_S * number / N_MOCKS)[:19] + "Z"
    body = igwn_alert(superevent_id=name, alert_type="PRELIMINARY", time_created=created) | {"event": event}
    return Sent(name=name, payload=as_bytes(body), topic="igwn.gwalert")


def _letters(number: int) -> str:
    text = ""
    while number >= 0:
        text = chr(97 + number % 26) + text
        number = number // 26 - 1
    return text


MOCKS = tuple(mock(number) for number in range(N_MOCKS))


def settings(folder: Path) -> Settings:
    """Return those of a hub with two readers: one is told of everything, the other of pairs of events only."""
    return Settings(
        hub=HubSection(data_dir=folder),
        followup=FollowupSection(enabled=False),
        destinations={
            "voevents": DestinationSection.model_validate({"kind": "folder", "path": "voevents"}),
            "pairs": DestinationSection.model_validate(
                {"kind": "folder", "path": "pairs", "format": "hub-json", "subjects": ["coincidence", "retraction"]}
            ),
        },
    )


def storm(random: Random) -> list[Sent]:
    """Return what comes within the hour, in the order of a bad day."""
    sent = [*MOCKS, *(one.is_taken_back() for one in RETRACTED)]
    return random.sample(sent, len(sent))


@pytest.fixture
def hub(tmp_path: Path, made: Path, skymaps: SkymapReader) -> Iterator[Hub]:
    with (
        fresh_sqlite(tmp_path, made) as store,
        open_hub(settings(tmp_path), store, clock=Ticking(NOW.plus_s(STORM_S)), skymaps=skymaps) as hub,
    ):
        yield hub


def messages(hub: Hub) -> list[Any]:
    """Return all that left, the oldest first."""
    with hub.store.reading() as session:
        entries = outbox.search(session, limit=None, with_payload=True)[::-1]
    assert all(entry.state is OutboxState.SENT for entry in entries)
    return [entry.outgoing for entry in entries]


def has_object(pair: Any) -> bool:
    return any(member.kind is MemberKind.OBJECT for member in pair.members)


def of_merger(pairs: Sequence[Any]) -> Counter[str]:
    """Return how many pairs with bursts each merger has."""
    return Counter(
        member.id for pair in pairs for member in pair.members if member.id.startswith("S2603") and not has_object(pair)
    )


@pytest.mark.slow
def test_each_reader_is_told_once_of_each_retraction_and_never_of_a_mock(hub: Hub, tmp_path: Path) -> None:
    calm = [one for real in REAL for one in real.arrives()]
    deliver(hub, calm, range(0, len(calm), 10))
    before = readers_of(messages(hub))
    with hub.store.reading() as session:
        standing = coincidences.newest_of(session, [one.coincidence_id for one in announced.standing(session)])
    pairs = [one.version for one in standing.values()]
    assert of_merger(pairs) == {real.event_id: 1 for real in REAL}, "all are announced, or this test shows nothing"
    n_objects = sum(map(has_object, pairs))
    assert n_objects == len(WITH_OBJECT)
    assert {name: len(one.believed) for name, one in before.items()} == {"voevents": N_REAL + n_objects, "pairs": N_REAL}

    worse = storm(Random(20260322))
    deliver(hub, worse, range(0, len(worse), 25))

    sent = messages(hub)
    readers = readers_of(sent)
    gone = {real.event_id for real in RETRACTED} - {real.event_id for real in GOES_ON}
    # Where the burst was taken back its merger is not, and keeps its counterpart.
    for name, reader in readers.items():
        n_gone = len(gone) + (N_OBJECTS_GONE if name == "voevents" else 0)
        assert len(reader.taken_back) == len(set(reader.taken_back)) == n_gone, name
        assert len(reader.believed) == len(before[name].believed) - n_gone, name
        retractions = [one for one in reader.heard.values() if one.subject == Subject.RETRACTION]
        assert len(retractions) == n_gone, name
    said_anew = [one for one in sent if one.destination == "pairs" and one.ivorn not in before["pairs"].heard]
    goes_on = [json.loads(one.payload) for one in said_anew if one.subject != Subject.RETRACTION]
    assert sorted(one["event_id"] for one in goes_on) == sorted(real.event_id for real in GOES_ON)
    assert all(one["supersedes"] in before["pairs"].believed for one in goes_on)
    assert all(any(member["id"].startswith("Swift") for member in one["members"]) for one in goes_on)

    mocks = {one.name for one in MOCKS}
    for one in sent:
        assert one.role is Role.OBSERVATION
        text = one.payload.decode()
        assert not any(f'"{name}"' in text or f">{name}<" in text or f"{name}-test" in text for name in mocks)
    check_books(hub, sum(one.n_messages for one in (*calm, *worse)))
    check_what_is_left(hub, gone)
    written = {path.name for path in (tmp_path / "voevents").glob("*")}
    assert len(written) == sum(one.destination == "voevents" for one in sent)


def check_what_is_left(hub: Hub, gone: set[str]) -> None:
    """Nothing of what was taken back is open, and the books of the budget agree with what readers believe."""
    budget = load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml")).budget
    assert budget is not None
    mergers_gone = {real.event_id for real in RETRACTED if real.number >= N_BURSTS_RETRACTED}
    with hub.store.reading() as session:
        for event_id in mergers_gone:
            event = events.get(session, event_id)
            assert event is not None
            assert event.state is EventState.RETRACTED
            assert candidates.of_event(session, event_id, state=PairState.OPEN) == []
            assert {one.state for one in coincidences.of_event(session, event_id)} == {PairState.WITHDRAWN}
        open_groups = groups.search(session, state=PairState.OPEN, limit=None)
        body = budget_body(session, budget, NOW.plus_s(STORM_S + DAY_S))
        standing = announced.standing(session)
        newest = coincidences.newest_of(session, [one.coincidence_id for one in standing])
        live = {one.event_id for one in events.search(session, limit=10_000) if one.is_live}
    in_groups = {member.id for group in open_groups if group.is_live for member in group.members}
    assert not in_groups & gone
    assert not live & {one.name for one in MOCKS}
    assert all(one.version.state is PairState.OPEN and one.version.is_live for one in newest.values())
    assert of_merger([one.version for one in newest.values()]) == {real.event_id: 1 for real in REAL if real.event_id not in gone}
    assert body["announced"] - body["taken_back"] == len(standing)
    assert body["taken_back"] == len(gone) + N_OBJECTS_GONE
