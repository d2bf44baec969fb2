"""Echoes: the hub's own messages come back in any format, are told from forgeries, and are missed when they do not come."""

from pathlib import Path

import pytest

from adapters.codecs.gcn_unified.writer import GcnUnifiedRenderer
from adapters.codecs.hub_avro import HubAvroRenderer
from adapters.codecs.hub_json import HubJsonRenderer
from hub.services import echo
from hub.storage import outbox
from hub.storage.envelopes import MessageState
from tests.support import small_world as world
from tests.support.announcements import announcement
from tests.support.hubs import STORY, Neighbour, neighbour
from tests.support.voevents import voevent

FORMATS = ("voevent", "hub-json", "hub-avro", "gcn-unified")
EVERY = {name: {"format": name} for name in FORMATS}
WATCHED = {"out": 30.0}


def said(one: Neighbour) -> None:
    """Let the hub find something to say."""
    one.take(*STORY)


def echoed(one: Neighbour) -> dict[str, set[str]]:
    """Return for each destination the ivorns that came back."""
    found: dict[str, set[str]] = {}
    for entry in one.entries():
        if entry.echoed_at is not None:
            found.setdefault(entry.outgoing.destination, set()).add(entry.outgoing.ivorn)
    return found


def test_every_destination_gets_every_message_in_its_format_under_one_name(tmp_path: Path) -> None:
    with neighbour(tmp_path, destinations=EVERY) as one:
        said(one)
        by_destination = {name: one.boxes[name].ivorns for name in FORMATS}
        assert len(by_destination["voevent"]) == 2
        assert [entry.outgoing.subject for entry in one.entries()][:: len(FORMATS)] == ["coincidence", "retraction"]
        assert len({tuple(ivorns) for ivorns in by_destination.values()}) == 1
        assert one.sent("hub-json")[0].startswith(b'{"schema":"mmhub.announcement/1"')
        assert one.sent("hub-avro")[0].startswith(b"\x00mmh\x01")


@pytest.mark.parametrize("name", FORMATS)
def test_a_message_that_comes_back_is_a_duplicate_and_marks_its_destination(tmp_path: Path, name: str) -> None:
    with neighbour(tmp_path, destinations=EVERY, echo_of={"ears": name}) as one:
        said(one)
        for payload, ivorn in zip(one.sent(name), one.boxes[name].ivorns, strict=True):
            (outcome,) = one.take(payload, source="ears")
            assert outcome.state is MessageState.DUPLICATE, outcome
            assert ivorn in echoed(one)[name]
        assert set(echoed(one)) == {name}
        assert one.law_holds()


def test_without_a_word_on_the_destination_the_bytes_tell(tmp_path: Path) -> None:
    twins = {"first": {"format": "hub-json"}, "second": {"format": "hub-json"}, "other": {"format": "voevent"}}
    with neighbour(tmp_path, destinations=twins) as one:
        said(one)
        one.take(one.sent("first")[0], source="ears")
        assert set(echoed(one)) == {"first", "second"}


def test_the_same_bytes_from_a_second_destination_count_for_it_too(tmp_path: Path) -> None:
    """The second time the bytes are known, and nobody looks into what is known but for this."""
    twins = {"first": {}, "second": {}}
    with neighbour(tmp_path, destinations=twins, echo_of={"one": "first", "two": "second"}) as one:
        said(one)
        payload = one.sent("first")[0]
        one.take(payload, source="one")
        assert set(echoed(one)) == {"first"}
        one.take(payload, source="two")
        assert set(echoed(one)) == {"first", "second"}
        assert one.law_holds()


def test_a_relayed_message_that_comes_back_is_an_echo_too(tmp_path: Path) -> None:
    burst = voevent(ivorn="ivo://nasa.gsfc.gcn/TEST#1")
    with neighbour(tmp_path, destinations={"out": {"relay": True}}, echo_of={"ears": "out"}) as one:
        one.take(burst, source="elsewhere")
        assert echoed(one) == {}
        one.take(burst, source="ears")
        assert set(echoed(one)) == {"out"}


def test_a_message_changed_on_the_way_is_no_proof(tmp_path: Path) -> None:
    with neighbour(tmp_path, destinations={"out": {"format": "hub-json"}}, echo_of={"ears": "out"}) as one:
        said(one)
        (outcome,) = one.take(one.sent("out")[0].replace(b",", b", ", 1), source="ears")
        assert outcome.state is MessageState.DUPLICATE
        assert outcome.reason.endswith("with other bytes than were sent there")
        assert echoed(one) == {}


@pytest.mark.parametrize("renderer", [HubJsonRenderer, HubAvroRenderer, GcnUnifiedRenderer])
def test_a_message_that_only_claims_to_be_ours_is_refused(tmp_path: Path, renderer: type) -> None:
    with neighbour(tmp_path, destinations=EVERY) as one:
        (outcome,) = one.take(renderer().render(announcement()))
        assert outcome.state is MessageState.DEAD
        assert "never wrote it" in outcome.reason
        assert one.law_holds()


@pytest.mark.parametrize("renderer", [HubJsonRenderer, HubAvroRenderer, GcnUnifiedRenderer])
def test_another_hubs_message_is_context_and_causes_nothing(tmp_path: Path, renderer: type) -> None:
    with neighbour(tmp_path, authority="example.org/elsewhere", destinations={"out": {"relay": True}}) as one:
        (outcome,) = one.take(renderer().render(announcement()))
        assert (outcome.state, outcome.kind, outcome.event_id) == (MessageState.STORED, "hub-message", None)
        assert one.entries() == []
        assert one.law_holds()


def test_what_does_not_come_back_in_time_is_an_alarm_until_it_does(tmp_path: Path) -> None:
    with neighbour(tmp_path, destinations={"out": {}, "other": {}}, echo_of={"ears": "out"}) as one:
        said(one)

        def alarms(watched: dict[str, float]) -> tuple[str, ...]:
            with one.hub.store.reading() as session:
                return echo.alarms(session, watched, one.clock())

        with one.hub.store.reading() as session:
            assert outbox.unechoed(session, "out", world.NOW, one.clock())
        one.clock.forward(31.0)
        (alarm,) = alarms(WATCHED)
        first = one.boxes["out"].got[0]
        assert alarm.startswith(f"{len(one.sent('out'))} message")
        assert "sent to 'out'" in alarm
        assert "not come back within 30 s" in alarm
        assert first.ivorn in alarm
        assert alarms({}) == alarms({"nowhere": 1.0}) == ()
        one.take(*one.sent("out"), source="ears")
        assert alarms(WATCHED) == ()
        assert len(alarms({"other": 30.0})) == 1
        one.clock.forward(echo.LOOK_BACK_S)
        assert alarms({"other": 30.0}) == ()
