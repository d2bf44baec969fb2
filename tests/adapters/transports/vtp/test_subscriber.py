from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from pydantic import ValidationError

from adapters.transports.vtp import messages
from adapters.transports.vtp import subscriber as subscriber_module
from adapters.transports.vtp.frames import framed
from adapters.transports.vtp.messages import TransportRole
from adapters.transports.vtp.subscriber import MAX_HELD, Options, Pauses, check, open_source
from hub.errors import StorageError
from hub.model.envelope import Trust
from tests.support.ports import refusing_port
from tests.support.voevents import voevent
from tests.support.vtp_peers import HUB_IVO, LOCAL_IVO, HeldBack, Store, accepted, context, listener, now, running, wait_until


def event(number, version="2.0", **more):
    return voevent(ivorn=f"ivo://peer.example/stream#{number}", version=version, **more)


@pytest.fixture
def broker():
    with listener() as (server, port):
        yield server, port


def subscriber(port, where=None, **options):
    chosen = {"port": port, "local_ivo": HUB_IVO, "first_pause_s": 0.01, "longest_pause_s": 0.05, **options}
    with open_source(Options(**chosen), where or context("upstream")) as source:
        return source


def test_an_event_is_stored_as_it_came_and_then_acknowledged(broker):
    server, port = broker
    store = Store()
    store.gate.clear()
    with running(subscriber(port, trust="trusted"), store), accepted(server) as peer:
        peer.send(event(1))
        wait_until(lambda: store.calls[event(1)], "handed in")
        peer.send(messages.iamalive(LOCAL_IVO, now()))
        alive = peer.read()
        assert (alive.role, alive.origin, alive.response) == (TransportRole.IAMALIVE, LOCAL_IVO, HUB_IVO)
        store.gate.set()
        answer = peer.read()
        assert (answer.role, answer.origin, answer.response) == (TransportRole.ACK, "ivo://peer.example/stream#1", HUB_IVO)
    [envelope] = store.envelopes
    assert (envelope.payload, envelope.source, envelope.trust) == (event(1), "upstream", Trust.TRUSTED)


@pytest.mark.parametrize("version", ["1.1", "2.0", "2.1"])
def test_every_version_is_taken(broker, version):
    server, port = broker
    store = Store()
    with running(subscriber(port), store), accepted(server) as peer:
        peer.send(event(1, version))
        assert peer.read().role is TransportRole.ACK
    assert store.payloads == [event(1, version)]
    assert store.envelopes[0].trust is Trust.UNTRUSTED


def test_duplicates_and_what_the_hub_refuses_are_acknowledged_too(broker):
    server, port = broker
    store = Store()
    source = subscriber(port)
    unreadable = b"<VOEvent ivorn='ivo://a.b/c#d' & >"
    with running(source, store), accepted(server) as peer:
        for payload in (event(1), event(1), event(2, inside="<!-- refuse-me -->"), unreadable, b"junk refuse-me"):
            peer.send(payload)
        answers = [peer.read() for _ in range(5)]
        assert {answer.role for answer in answers} == {TransportRole.ACK}
        assert [answer.origin for answer in answers][-2:] == ["ivo://a.b/c#d", messages.UNREADABLE]
        facts = source.health().facts
    assert (facts["events"], facts["duplicates"], facts["dead"]) == (5, 1, 2)


def test_both_kinds_of_filters_are_sent_when_the_broker_asks_who_is_there(broker):
    server, port = broker
    source = subscriber(port, filters=("role == test",), xpath_filters=("/*[@role='test']",))
    with running(source, Store()), accepted(server) as peer:
        peer.send(messages.authenticate(LOCAL_IVO, now()))
        answer = peer.read()
    assert (answer.role, answer.origin, answer.response) == (TransportRole.AUTHENTICATE, LOCAL_IVO, HUB_IVO)
    assert answer.params == (("mmhub-filter", "role == test"), ("xpath-filter", "/*[@role='test']"))


def test_what_cannot_be_stored_is_not_acknowledged_and_handed_in_again(broker):
    server, port = broker
    store = Store()
    store.is_broken = True
    store.gate.clear()
    source = subscriber(port)
    with running(source, store):
        with accepted(server) as peer:
            peer.send(event(1))
            peer.send(event(2))
            wait_until(lambda: source.health().facts["events"] == 2, "both read")
            store.gate.set()
            assert peer.next_answer() is None
        [alarm] = wait_until(lambda: source.health().alarms, "an alarm")
        assert "cannot be stored: the disk is full" in alarm
        assert source.health().facts["held"] > 0
        store.is_broken = False
        with accepted(server) as peer:
            peer.send(event(3))
            assert peer.read().origin == "ivo://peer.example/stream#3"
            assert source.health().alarms == ()
    assert store.payloads[0] == event(1)
    assert store.payloads[-1] == event(3)


def test_an_event_on_which_the_hub_fails_is_kept_with_all_behind_it_until_the_hub_is_mended(broker):
    server, port = broker
    store = Store()
    store.breaks_on = event(1)
    store.gate.clear()
    source = subscriber(port)
    with running(source, store):
        with accepted(server) as peer:
            for number in range(4):
                peer.send(event(number))
            wait_until(lambda: source.health().facts["events"] == 4, "all read")
            store.gate.set()
            assert peer.next_answer().origin == "ivo://peer.example/stream#0"
            assert peer.next_answer() is None
        wait_until(lambda: "the hub fails on the event" in " ".join(source.health().alarms), "an alarm")
        n_held = source.health().facts["held"]
        store.breaks_on = None
        with accepted(server):
            wait_until(lambda: len(store.payloads) == 1 + n_held, "all stored")
    assert store.payloads == [event(number) for number in range(1 + n_held)]


def test_what_has_arrived_is_stored_when_the_connection_breaks_meanwhile(broker):
    server, port = broker
    store = Store()
    store.gate.clear()
    with running(subscriber(port), store):
        with accepted(server) as peer:
            for number in range(10):
                peer.send(event(number))
            wait_until(lambda: store.calls[event(0)], "handed in")
            peer.send(messages.iamalive(LOCAL_IVO, now()))
            assert peer.read().role is TransportRole.IAMALIVE  # so all ten have been read
        store.gate.set()
        with accepted(server):
            wait_until(lambda: len(store.payloads) == 10, "all stored")
    assert store.payloads == [event(number) for number in range(10)]


def test_a_stop_stores_and_acknowledges_what_has_arrived(broker):
    server, port = broker
    store = Store()
    store.gate.clear()
    source = subscriber(port)
    with running(source, store):
        peer = accepted(server)
        for number in range(3):
            peer.send(event(number))
        wait_until(lambda: source.health().facts["events"] == 3, "all read")
        store.gate.set()
    with peer:
        assert [peer.read().origin[-1] for _ in range(3)] == ["0", "1", "2"]
        assert peer.read() is None
    assert len(store.payloads) == 3
    assert source.health().state == "stopped"


def test_a_store_that_hangs_slows_the_broker_and_loses_nothing(broker):
    server, port = broker
    store = Store()
    store.gate.clear()
    source = subscriber(port)
    n_events = MAX_HELD + 30
    with running(source, store), accepted(server) as peer:
        for number in range(n_events):
            peer.send(event(number))
        wait_until(lambda: source.health().facts["held"] == MAX_HELD, "as many as may be held")
        store.gate.set()
        for number in range(n_events):
            assert peer.read().origin == f"ivo://peer.example/stream#{number}"
    assert store.payloads == [event(number) for number in range(n_events)]


def test_a_silent_broker_is_left_and_asked_again(broker):
    server, port = broker
    held = HeldBack()
    source = subscriber(port, held.context(), silence_s=0.05)
    with running(source, Store()), held:
        with accepted(server) as peer:
            assert peer.is_closed()
        [alarm] = wait_until(lambda: source.health().alarms, "an alarm")
        assert "silent for 0.05 s" in alarm
        held.let_go()
        with accepted(server) as peer:
            assert peer.is_closed()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "an HTTP server"),
        (b"\xff\xff\xff\xff", "4294967295 bytes"),
        (b"\x00\x00\x00\x10half", "middle of a message"),
        (b"", "closed the connection"),
    ],
)
def test_a_broker_that_talks_nonsense_is_left_and_asked_again(broker, data, why):
    server, port = broker
    held = HeldBack()
    source = subscriber(port, held.context())
    store = Store()
    with running(source, store), held:
        with accepted(server) as peer:
            peer.send_raw(data)
            peer.connection.shutdown(1)
            assert peer.is_closed()
        wait_until(lambda: why in " ".join(source.health().alarms), "an alarm")
        held.let_go()
        with accepted(server) as peer:
            peer.send(event(1))
            assert peer.read().role is TransportRole.ACK
            assert source.health().alarms == ()


def test_each_time_without_a_connection_is_written_down(broker):
    server, port = broker
    incidents = []
    chosen = Options(port=port, first_pause_s=0.01, longest_pause_s=0.05)
    with open_source(chosen, context("upstream", incidents)) as source, running(source, Store()):
        accepted(server).close()
        with accepted(server) as peer:
            peer.send(event(1))
            assert peer.read().role is TransportRole.ACK
        [gap] = incidents
        assert gap.kind == "gap"
        assert gap.text.startswith(f"Nothing was heard from the broker 127.0.0.1:{port} between ")
        assert gap.facts["start"] < gap.facts["end"]
        with accepted(server) as peer:
            peer.send(event(2))
            assert peer.read().role is TransportRole.ACK
        assert len({one.subject for one in incidents}) == 2


def test_a_check_says_what_is_wrong_with_the_broker(broker, monkeypatch):
    monkeypatch.setattr(subscriber_module, "_FIRST_WORD_S", 60.0)
    server, port = broker
    for answer, why in (
        (framed(messages.authenticate(LOCAL_IVO, now())), None),
        (b"HTTP/1.1 400 Bad Request", "an HTTP server"),
        (framed(b"<html/>"), "no VTP broker: the XML root is html"),
        (b"", "lacks this address"),
    ):
        with ThreadPoolExecutor(1) as pool:
            checking = pool.submit(check, Options(port=port), context())
            with accepted(server) as peer:
                peer.send_raw(answer)
            complaints = checking.result(60)
        assert [why in complaint for complaint in complaints] == ([True] if why else [])
    with refusing_port() as closed:
        assert "connection refused" in check(Options(port=closed), context())[0]


def test_a_broker_that_is_not_there_is_an_alarm_until_it_comes():
    with refusing_port() as port, running(source := subscriber(port), Store()):
        [alarm] = wait_until(lambda: source.health().alarms, "an alarm")
        assert "connection refused" in alarm


def test_pauses_double_with_jitter_and_begin_anew_only_when_told():
    pauses = Pauses(1.0, 60.0, uniform=max)
    assert [pauses.next_s() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    pauses.reset()
    assert pauses.next_s() == 1
    low = Pauses(1.0, 60.0, uniform=min)
    assert [low.next_s() for _ in range(3)] == [0.5, 1, 2]
    many = Pauses(1.0, 60.0)
    assert all(30 <= many.next_s() <= 60 for _ in range(2000) if many.n_failed > 6)


def alarm_of(source):
    return wait_until(lambda: source.health().alarms, "an alarm")[0]


def test_a_connection_that_soon_breaks_does_not_shorten_the_pauses(broker):
    server, port = broker
    held = HeldBack(n_free=3)
    source = subscriber(port, held.context(), healthy_s=3600)
    with running(source, Store()), held:
        for _ in range(4):
            accepted(server).close()
        wait_until(lambda: "failure 4 in a row" in alarm_of(source), "four failures in a row")


def test_a_connection_that_lived_begins_anew(broker):
    server, port = broker
    held = HeldBack()
    source = subscriber(port, held.context(), healthy_s=0, longest_pause_s=60)
    with running(source, Store()), held:
        for _ in range(4):
            accepted(server).close()
            assert "failure 1 in a row" in alarm_of(source)
            held.let_go()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"local_ivo": "me"}, "ivo://org.example"),
        ({"filters": ("colour == red",)}, "asks for 'colour'"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"silence": 3}, "Extra inputs"),
        ({"longest_pause_s": 0.1}, "shorter than first_pause_s"),
        ({"max_message_bytes": 1 << 30}, "8388608"),
        ({"trust": "maybe"}, "trusted"),
    ],
)
def test_bad_options_are_refused_with_a_sentence(options, why):
    with pytest.raises(ValidationError, match=why):
        Options(**options)


class Notes:
    """What the hub remembers of a source, across starts."""

    def __init__(self):
        self.until = []
        self.incidents = []
        self.is_broken = False

    def context(self):
        return replace(context("upstream", self.incidents), heard=self.heard, last_heard=self.last)

    def heard(self, until):
        if self.is_broken:
            raise StorageError("the disk is full")
        self.until.append(until)

    def last(self):
        return self.until[-1] if self.until else None


def test_the_time_that_the_hub_was_not_running_is_a_gap(broker):
    server, port = broker
    notes = Notes()
    for start in range(3):
        source = subscriber(port, notes.context())
        with running(source, Store()), accepted(server) as peer:
            peer.send(event(start))
            assert peer.next_answer()
            last_event_at = source.health().facts["last_event_at"]
        assert notes.until[-1].to_utc_iso() >= last_event_at
        assert len(notes.incidents) == start  # nothing was missed before the first time
    first, second = notes.incidents
    assert first.kind == "gap"
    assert "Nothing was heard" in first.text
    assert first.facts["start"] < first.facts["end"] < second.facts["start"] < second.facts["end"]


def test_a_hub_that_dies_has_written_down_until_when_it_listened(broker):
    server, port = broker
    notes = Notes()
    source = subscriber(port, notes.context())
    with running(source, Store()), accepted(server):
        wait_until(lambda: notes.until, "a note while it listens")


def test_a_store_that_takes_no_notes_does_not_end_the_connection(broker):
    server, port = broker
    notes = Notes()
    notes.is_broken = True
    source = subscriber(port, notes.context())
    with running(source, Store()), accepted(server) as peer:
        peer.send(event(1))
        assert peer.next_answer()
