import queue
import socket
from contextlib import ExitStack, contextmanager, suppress

import pytest
from pydantic import ValidationError

from adapters.transports.vtp import broadcaster, messages
from adapters.transports.vtp.broadcaster import Options, check, open_sink
from adapters.transports.vtp.frames import framed
from adapters.transports.vtp.messages import TransportRole
from hub.errors import Permanent, Transient
from tests.contracts.sink import check_sink
from tests.support.ports import free_port
from tests.support.voevents import voevent
from tests.support.vtp_peers import HUB_IVO, LOCAL_IVO, RawPeer, context, listener, now, outgoing, wait_until


def event(number, **more):
    return voevent(ivorn=f"ivo://hub.example/stream#{number}", **more)


@contextmanager
def broadcasting(**options):
    chosen = {"port": 0, "allow": ("127.0.0.1",), "local_ivo": HUB_IVO, "ack_wait_s": 0.0} | options
    with open_sink(Options(**chosen), context("out")) as sink:
        yield sink


def connect(sink):
    """Return a peer that the broadcaster knows of, and knows to have no filters."""
    peer = silent(sink)
    host, port = peer.connection.getsockname()
    peer.send(messages.authenticate(LOCAL_IVO, now(), to=HUB_IVO))
    wait_until(
        lambda: any(facts["introduced"] and facts["peer"].endswith(f"{port}") for facts in sink.health().facts["peers"]),
        f"{host}:{port} introduced",
    )
    return peer


def silent(sink):
    """Return a peer that has not answered the broadcaster's first question."""
    peer = RawPeer.connect(sink.health().facts["port"])
    question = peer.read()
    assert (question.role, question.origin, question.response) == (TransportRole.AUTHENTICATE, HUB_IVO, None)
    return peer


def n_peers(sink):
    return sink.health().facts["connections"]


def authenticated(sink, peer, *params, filters):
    """Send an answer to the broadcaster's question, and wait until its filters are installed."""
    peer.send(messages.authenticate(LOCAL_IVO, now(), to=HUB_IVO, params=params))
    wait_until(lambda: any(facts["filters"] == filters for facts in sink.health().facts["peers"]), "the filters")


def test_every_subscriber_gets_the_event_byte_for_byte():
    with broadcasting() as sink, ExitStack() as stack:
        peers = [stack.enter_context(connect(sink)) for _ in range(5)]
        sink.deliver(outgoing(event(1)))
        assert [peer.next_event() for peer in peers] == [event(1)] * 5


def test_delivering_returns_with_the_acks_of_those_who_are_quick():
    with broadcasting(ack_wait_s=30) as sink, connect(sink) as peer:
        peer.answer_from_now_on()
        sink.deliver(outgoing(event(1)))
        facts = sink.health().facts
        assert (facts["offered"], facts["acked"], facts["not_acked"]) == (1, 1, 0)


def test_without_subscribers_an_event_goes_nowhere_unless_some_are_demanded():
    with broadcasting() as sink:
        sink.deliver(outgoing(event(1)))
    with broadcasting(min_peers=1) as sink:
        assert "fewer than min_peers = 1" in sink.health().alarms[0]
        with pytest.raises(Transient, match="0 subscribers are connected, fewer than 1"):
            sink.deliver(outgoing(event(1)))
        with connect(sink) as peer:
            sink.deliver(outgoing(event(1)))
            assert peer.next_event() == event(1)
            assert sink.health().alarms == ()


def test_a_subscriber_that_leaves_before_its_ack_does_not_count():
    with broadcasting(min_peers=1, ack_wait_s=30) as sink, connect(sink) as peer:
        peer.close_at_next_event()
        with pytest.raises(Transient, match="of 1 subscribers 0 are left"):
            sink.deliver(outgoing(event(1)))


@pytest.mark.parametrize(
    ("payload", "subject", "why"),
    [
        (event(1, version="2.1"), "coincidence", "version 2.1 are not sent, only 2.0"),
        (event(1, version="1.1"), "candidate", "version 1.1 are not sent, only 2.0"),
        (event(1).replace(b'version="2.0"', b'version="3.0"'), "notice", "version 3.0 are not sent, only 1.1, 2.0, 2.1"),
        (b'{"a": 1}', "coincidence", "VTP carries VOEvents only"),
        (messages.iamalive(HUB_IVO, now()), "notice", "this is a Transport document"),
        (event(1, inside=f"<!--{'x' * 100_000}-->"), "coincidence", "more than the 99999 that are sent"),
    ],
)
def test_what_is_no_event_of_the_right_version_is_not_sent(payload, subject, why):
    with broadcasting() as sink, pytest.raises(Permanent, match=why):
        sink.deliver(outgoing(payload, subject=subject))


@pytest.mark.parametrize("version", ["1.1", "2.0", "2.1"])
def test_a_relayed_event_passes_in_its_own_version(version):
    with broadcasting() as sink, connect(sink) as peer:
        sink.deliver(outgoing(event(1, version=version), subject="notice"))
        assert peer.next_event() == event(1, version=version)


def test_a_subscriber_gets_what_its_filters_pass():
    with broadcasting() as sink, connect(sink) as picky, connect(sink) as other:
        authenticated(sink, picky, ("mmhub-filter", "role == test"), ("mmhub-filter", "subject == retraction"), filters=2)
        for number, (subject, role) in enumerate(
            [("coincidence", "observation"), ("retraction", "observation"), ("candidate", "test")]
        ):
            sink.deliver(outgoing(event(number, role=role), subject=subject, role=role))
        assert [picky.next_event() for _ in range(2)] == [event(1), event(2, role="test")]
        assert [other.next_event() for _ in range(3)] == [event(0), event(1), event(2, role="test")]


@pytest.mark.parametrize(
    "bomb",
    [
        "//Param[@name='x']/preceding-sibling::*/preceding-sibling::*",
        "count(//*[count(preceding::*) > count(following::*)])",
        "//*[contains(string(/), string(/))]",
        "][",
    ],
)
def test_an_xpath_filter_is_refused_and_the_subscriber_kept(bomb):
    with broadcasting() as sink, connect(sink) as peer:
        authenticated(
            sink, peer, ("xpath-filter", bomb), ("mmhub-filter", "role ~ x"), ("mmhub-filter", "role != utility"), filters=1
        )
        sink.deliver(outgoing(event(1)))
        assert peer.next_event() == event(1)
        xpath, other = sink.health().facts["peers"][0]["refused_filters"]
    assert "XPath is not evaluated" in xpath
    assert "compares with '~'" in other


def test_filters_hold_from_the_first_event_on(monkeypatch):
    monkeypatch.setattr(broadcaster, "INTRODUCTION_S", 60.0)
    with broadcasting() as sink, silent(sink) as late:
        sink.deliver(outgoing(event(1, role="observation"), role="observation"))
        sink.deliver(outgoing(event(2, role="test"), role="test"))
        late.send(messages.authenticate(LOCAL_IVO, now(), to=HUB_IVO, params=(("mmhub-filter", "role == test"),)))
        assert late.next_event() == event(2, role="test")


def test_a_subscriber_that_never_says_what_it_wants_gets_everything_after_a_while(monkeypatch):
    monkeypatch.setattr(broadcaster, "INTRODUCTION_S", 0.2)
    with broadcasting() as sink, silent(sink) as mute:
        sink.deliver(outgoing(event(1)))
        sink.deliver(outgoing(event(2, role="test"), role="test"))
        assert [mute.next_event() for _ in range(2)] == [event(1), event(2, role="test")]


def test_the_broadcaster_keeps_the_contract_of_a_sink():
    with broadcasting(ack_wait_s=30) as sink, connect(sink) as peer:
        peer.answer_from_now_on()
        seen = []

        def arrived():
            while True:
                try:
                    payload = peer.events.get(timeout=0 if seen else 60)
                except queue.Empty:
                    return seen
                if payload not in seen:
                    seen.append(payload)

        check_sink(sink, arrived, payload_of=event, carries_binary=False)


def test_filters_of_the_settings_hold_for_a_network():
    with (
        broadcasting(filters={"127.0.0.0/8": ["role == test"], "10.0.0.0/8": ["role == utility"]}) as sink,
        connect(sink) as peer,
    ):
        sink.deliver(outgoing(event(1)))
        sink.deliver(outgoing(event(2, role="test"), role="test"))
        assert peer.next_event() == event(2, role="test")
        authenticated(sink, peer, ("mmhub-filter", "stream contains other"), filters=2)
        sink.deliver(outgoing(event(3, role="test"), role="test"))
        sink.deliver(outgoing(event(4, role="test").replace(b"stream#4", b"other#4"), role="test"))
        assert b"other#4" in peer.next_event()


def test_a_subscriber_that_does_not_say_that_it_lives_is_dropped():
    with broadcasting(iamalive_s=0.05) as sink, silent(sink) as deaf:
        assert deaf.read().role is TransportRole.IAMALIVE
        assert deaf.is_closed()
        wait_until(lambda: n_peers(sink) == 0, "dropped")


def is_kept(pause_s):
    """Return whether a subscriber that answers three questions is still there; one on a busy machine may answer too late."""
    with broadcasting(iamalive_s=pause_s) as sink, silent(sink) as polite:
        for _ in range(3):
            question = polite.read()
            if question is None:
                return False
            assert question.role is TransportRole.IAMALIVE
            with suppress(OSError):
                polite.send(messages.iamalive(LOCAL_IVO, now(), to=question.origin))
        sink.deliver(outgoing(event(1)))
        return polite.next_event() == event(1)


def test_a_subscriber_that_says_that_it_lives_is_kept():
    assert any(is_kept(pause_s) for pause_s in (0.5, 5.0, 20.0))


def test_a_subscriber_that_acknowledges_nothing_is_dropped_and_delays_nobody():
    with broadcasting(iamalive_s=4.0, max_unacked=10) as sink, connect(sink) as sloppy, connect(sink) as polite:
        sloppy.ignore_from_now_on()
        polite.answer_from_now_on()
        for number in range(40):
            sink.deliver(outgoing(event(number)))
        assert [polite.events.get(timeout=60) for _ in range(40)] == [event(number) for number in range(40)]
        got = list(iter(lambda: sloppy.events.get(timeout=60), None))  # it answers iamalive all the time
        assert got == [event(number) for number in range(10)]
        wait_until(lambda: n_peers(sink) == 1, "one left")


def test_a_late_subscriber_is_waited_for_once():
    with broadcasting(ack_wait_s=0.3) as sink, connect(sink) as late:
        sink.deliver(outgoing(event(0)))
        assert sink._peers[0].is_behind
        for number in range(1, 200):  # a minute, were it waited for again
            sink.deliver(outgoing(event(number)))
        late.answer_from_now_on()
        assert [late.events.get(timeout=60) for _ in range(200)] == [event(number) for number in range(200)]
        wait_until(lambda: not sink._peers[0].is_behind, "caught up")


def test_a_subscriber_whose_queue_is_full_is_dropped():
    with broadcasting(queue_size=5, max_unacked=1) as sink, connect(sink) as slow, connect(sink) as polite:
        polite.answer_from_now_on()
        for number in range(20):
            sink.deliver(outgoing(event(number)))
            assert polite.events.get(timeout=60) == event(number)
        assert slow.is_closed()
        wait_until(lambda: n_peers(sink) == 1, "one left")


def test_a_subscriber_that_never_reads_delays_nobody():
    big = 90_000
    with broadcasting(queue_size=50, max_unacked=10_000) as sink:
        port = sink.health().facts["port"]
        with RawPeer.connect(port, receive_buffer=4096), connect(sink) as polite:
            polite.answer_from_now_on()
            wait_until(lambda: n_peers(sink) == 2, "both")
            for number in range(150):
                payload = event(number, inside=f"<!--{'x' * big}-->")
                sink.deliver(outgoing(payload))
                assert polite.events.get(timeout=60) == payload
            wait_until(lambda: n_peers(sink) == 1, "one left")


def test_a_subscriber_that_refuses_everything_does_no_harm():
    with broadcasting(ack_wait_s=30) as sink, connect(sink) as peer:
        peer.refuse_from_now_on()
        for number in range(30):
            sink.deliver(outgoing(event(number)))
        facts = sink.health().facts
        assert (facts["acked"], facts["not_acked"], facts["peers"][0]["refused"]) == (0, 30, 30)


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", b"\x00\x01\x00\x00<Transport"])
def test_a_subscriber_that_talks_nonsense_is_dropped(data):
    with broadcasting() as sink, connect(sink) as stranger, connect(sink) as polite:
        stranger.send_raw(data)
        stranger.connection.shutdown(socket.SHUT_WR)
        assert stranger.is_closed()
        wait_until(lambda: n_peers(sink) == 1, "one left")
        sink.deliver(outgoing(event(1)))
        assert polite.next_event() == event(1)


def test_a_subscriber_may_say_what_nobody_understands():
    with broadcasting() as sink, connect(sink) as peer:
        for payload in (
            b"",
            b"junk",
            event(5),
            b"<a/>",
            b"<Transport role='ack'>",
            messages.ack(LOCAL_IVO, now(), ivorn="ivo://a.b/c"),
        ):
            peer.send(payload)
        sink.deliver(outgoing(event(1)))
        assert peer.next_event() == event(1)


def test_answers_without_end_drop_the_subscriber():
    alive = framed(messages.iamalive(LOCAL_IVO, now()))
    with broadcasting() as sink, connect(sink) as peer:
        with suppress(OSError):
            peer.send_raw(alive * 20_000)
        wait_until(lambda: n_peers(sink) == 0, "dropped")


def test_nobody_is_let_in_while_the_list_is_empty():
    with broadcasting(allow=()) as sink:
        assert "No subscriber may connect" in sink.health().alarms[0]
        with RawPeer.connect(sink.health().facts["port"]) as peer:
            assert peer.read() is None
        assert sink.health().facts["connections_refused"] == 1


def test_a_hundred_connections_are_as_many_as_are_allowed():
    with broadcasting(max_connections=50, max_per_address=50) as sink, ExitStack() as stack:
        peers = [stack.enter_context(RawPeer.connect(sink.health().facts["port"])) for _ in range(100)]
        greeted = [peer.read() is not None for peer in peers]
        assert sum(greeted) == 50
        sink.deliver(outgoing(event(1)))
        assert [peer.next_event() for peer, is_in in zip(peers, greeted, strict=True) if is_in] == [event(1)] * 50


def test_a_port_that_is_taken_is_tried_again():
    with listener(free_port()) as (server, port), broadcasting(port=port) as sink:
        assert "address already in use" in sink.health().alarms[0]
        with pytest.raises(Transient, match="address already in use"):
            sink.deliver(outgoing(event(1)))
        server.close()
        wait_until(lambda: sink.health().alarms == (), "the port")
        with connect(sink) as peer:
            sink.deliver(outgoing(event(1)))
            assert peer.next_event() == event(1)


def test_closing_sends_what_is_queued():
    with broadcasting() as sink:
        peer = connect(sink)
        peer.answer_from_now_on()
        for number in range(100):
            sink.deliver(outgoing(event(number)))
    assert [peer.events.get(timeout=60) for _ in range(100)] == [event(number) for number in range(100)]
    peer.close()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"filters": {"10.0.0.0/8": ["role is test"]}}, "compares with 'is'"),
        ({"filters": {"ten": ["role == test"]}}, "no network"),
        ({"allow": ("10.0.0.0/80",)}, "no network"),
        ({"max_message_bytes": 1 << 30}, "8388608"),
    ],
)
def test_bad_options_are_refused_with_a_sentence(options, why):
    with pytest.raises(ValidationError, match=why):
        Options(**options)


def test_a_check_says_what_is_wrong_with_the_port():
    assert check(Options(port=0, allow=("127.0.0.1",)), context()) == []
    with listener() as (_, port):
        empty, taken = check(Options(port=port), context())
    assert "may connect to port" in empty
    assert "address already in use" in taken


def test_a_subscriber_that_answers_and_leaves_at_once_is_gone():
    with broadcasting() as sink:
        port = sink.health().facts["port"]
        for _ in range(30):
            with RawPeer.connect(port) as peer:
                peer.read()
                peer.send(messages.authenticate(LOCAL_IVO, now(), to=HUB_IVO))
        wait_until(lambda: n_peers(sink) == 0, "gone")
