import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import ValidationError

from adapters.transports.vtp import messages
from adapters.transports.vtp.frames import framed
from adapters.transports.vtp.messages import TransportRole
from adapters.transports.vtp.receiver import Options, check, open_source
from hub.errors import Transient
from hub.model.envelope import Trust
from tests.support import bombs_xml
from tests.support.voevents import voevent
from tests.support.vtp_peers import HUB_IVO, LOCAL_IVO, RawPeer, Store, context, listener, now, running, wait_until


def event(number, **more):
    return voevent(ivorn=f"ivo://peer.example/stream#{number}", **more)


def receiver(**options):
    with open_source(
        Options(**({"port": 0, "allow": ("127.0.0.1",), "local_ivo": HUB_IVO} | options)), context("authors")
    ) as source:
        return source


def port_of(source):
    return wait_until(lambda: source.health().facts["port"], "a port")


def send(source, payload):
    with RawPeer.connect(port_of(source)) as author:
        author.send(payload)
        return author.read()


def test_an_event_is_acknowledged_after_it_is_stored():
    store = Store()
    store.gate.clear()
    source = receiver()
    with running(source, store), RawPeer.connect(port_of(source)) as author:
        author.send(event(1))
        wait_until(lambda: store.calls[event(1)], "handed in")
        author.connection.settimeout(0.05)
        with pytest.raises(TimeoutError):
            author.read()
        author.connection.settimeout(60)
        store.gate.set()
        answer = author.read()
    assert (answer.role, answer.origin, answer.response) == (TransportRole.ACK, "ivo://peer.example/stream#1", HUB_IVO)
    [envelope] = store.envelopes
    assert (envelope.payload, envelope.source, envelope.trust) == (event(1), "authors", Trust.UNTRUSTED)


def test_several_events_of_one_connection_are_answered_in_turn():
    source = receiver()
    with running(source, Store()), RawPeer.connect(port_of(source)) as author:
        for number in range(20):
            author.send(event(number))
        assert [author.read().origin.rpartition("#")[2] for _ in range(20)] == [str(number) for number in range(20)]


def test_a_duplicate_is_acknowledged_so_that_an_author_may_try_again():
    source = receiver()
    with running(source, Store()):
        assert [send(source, event(1)).role for _ in range(2)] == [TransportRole.ACK] * 2


def test_a_duplicate_may_be_refused_in_the_words_of_comet():
    source = receiver(duplicates="nak")
    with running(source, Store()):
        assert send(source, event(1)).role is TransportRole.ACK
        answer = send(source, event(1))
    assert (answer.role, answer.result) == (TransportRole.NAK, "Event rejected: Previously seen by this broker")


def test_a_refused_event_gets_the_reason():
    source = receiver()
    with running(source, Store()):
        answer = send(source, event(1, inside="<!-- refuse-me -->"))
    assert (answer.role, answer.result) == (TransportRole.NAK, "Event rejected: the event asks to be refused")
    assert answer.origin == "ivo://peer.example/stream#1"


def test_an_event_that_cannot_be_stored_is_refused_and_can_come_again():
    store = Store()
    store.is_broken = True
    source = receiver()
    with running(source, store):
        answer = send(source, event(1))
        assert (answer.role, answer.result) == (TransportRole.NAK, "the event cannot be stored now; send it again later")
        assert "cannot be stored and are refused: the disk is full" in source.health().alarms[0]
        store.is_broken = False
        assert send(source, event(1)).role is TransportRole.ACK
        assert source.health().alarms == ()


def test_an_event_on_which_the_hub_fails_is_refused_and_can_come_again():
    store = Store()
    store.breaks_on = event(1)
    source = receiver()
    with running(source, store):
        answer = send(source, event(1))
        assert (answer.role, answer.result) == (TransportRole.NAK, "the event cannot be stored now; send it again later")
        store.breaks_on = None
        assert send(source, event(1)).role is TransportRole.ACK


def test_nobody_is_let_in_while_the_list_is_empty():
    store = Store()
    source = receiver(allow=())
    with running(source, store):
        assert "No author may connect" in source.health().alarms[0]
        with RawPeer.connect(port_of(source)) as author:
            assert author.is_closed()
        assert source.health().facts["connections_refused"] == 1
    assert store.payloads == []


def test_an_address_outside_the_list_is_not_let_in():
    source = receiver(allow=("192.0.2.0/24", "2001:db8::/32"))
    with running(source, Store()), RawPeer.connect(port_of(source)) as author:
        assert author.is_closed()


def test_transport_messages_of_an_author_do_no_harm():
    source = receiver()
    with running(source, Store()), RawPeer.connect(port_of(source)) as author:
        author.send(messages.authenticate(LOCAL_IVO, now()))
        author.send(messages.ack(LOCAL_IVO, now(), ivorn="ivo://a.b/c"))
        author.send(messages.iamalive(LOCAL_IVO, now()))
        assert author.read().role is TransportRole.IAMALIVE
        author.send(event(1))
        assert author.read().role is TransportRole.ACK


@pytest.mark.parametrize("bomb", [bomb for bomb in bombs_xml.bombs() if bomb.ends == "dead"], ids=lambda bomb: bomb.name)
def test_a_bomb_is_answered_and_the_next_author_is_served(bomb):
    source = receiver(max_message_bytes=1 << 20)
    with running(source, Store()):
        with RawPeer.connect(port_of(source)) as author:
            payload = bomb.build()
            try:
                author.send(payload)
                author.next_answer()
            except (BrokenPipeError, ConnectionResetError):
                assert len(payload) > 1 << 20
        assert send(source, event(1)).role is TransportRole.ACK


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff\xff\xff\xff", "4294967295 bytes"),
        (b"GET / HTTP/1.1\r\n\r\n", "HTTP client"),
        ((1 << 20).to_bytes(4, "big") + b"x", "more than the 1000000 allowed"),
    ],
)
def test_a_stranger_is_told_what_is_wrong_and_sent_away(data, why):
    source = receiver(max_message_bytes=1_000_000)
    with running(source, Store()), RawPeer.connect(port_of(source)) as author:
        author.send_raw(data[:4])
        answer = author.next_answer()
        assert answer.role is TransportRole.NAK
        assert why in answer.result
        author.connection.shutdown(socket.SHUT_WR)
        assert author.is_closed()
        wait_until(lambda: source.health().facts["broken"] == 1, "counted")


@pytest.mark.parametrize("data", [b"", b"\x00", framed(b"x" * 500)[:100]])
def test_an_author_who_never_finishes_is_sent_away(data):
    source = receiver(author_timeout_s=0.05)
    store = Store()
    with running(source, store), RawPeer.connect(port_of(source)) as author:
        author.send_raw(data)
        assert author.is_closed()
    assert store.payloads == []


def test_an_author_who_drips_bytes_gets_no_more_time_than_others():
    source = receiver(author_timeout_s=0.2)
    with running(source, Store()), RawPeer.connect(port_of(source)) as author:
        author.connection.settimeout(0.01)

        def drip():
            try:
                author.send_raw(b"\x00")
                return author.connection.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        author.send_raw(b"\x00\x00\xff\xff")
        wait_until(drip, "sent away")


def test_an_author_who_leaves_before_the_answer_has_sent_nevertheless():
    store = Store()
    store.gate.clear()
    source = receiver()
    with running(source, store):
        with RawPeer.connect(port_of(source)) as author:
            author.send(event(1))
            wait_until(lambda: store.calls[event(1)], "handed in")
        store.gate.set()
        wait_until(lambda: store.payloads == [event(1)], "stored")
        assert send(source, event(1)).role is TransportRole.ACK


def test_too_many_events_a_minute_are_refused():
    source = receiver(events_per_minute=3)
    store = Store()
    with running(source, store):
        answers = [send(source, event(number)) for number in range(4)]
        assert [answer.role for answer in answers] == [TransportRole.ACK] * 3 + [TransportRole.NAK]
        assert answers[3].result == "more than 3 events a minute"
    assert len(store.payloads) == 3


def test_a_hundred_connections_are_as_many_as_are_allowed_and_the_next_is_not():
    source = receiver(max_connections=100, max_per_address=100)
    with running(source, Store()):
        authors = [RawPeer.connect(port_of(source)) for _ in range(100)]
        wait_until(lambda: source.health().facts["connections"] == 100, "a hundred connections")
        with RawPeer.connect(port_of(source)) as one_more:
            assert one_more.is_closed()
        authors[7].send(event(7))
        assert authors[7].read().role is TransportRole.ACK
        for author in authors:
            author.close()
        wait_until(lambda: source.health().facts["connections"] == 0, "all gone")
        assert send(source, event(1)).role is TransportRole.ACK


def test_many_authors_at_once_are_all_answered():
    source = receiver(max_per_address=64)
    store = Store()
    with running(source, store), ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: send(source, event(number)), range(64)))
    assert {answer.role for answer in answers} == {TransportRole.ACK}
    assert sorted(store.payloads) == sorted(event(number) for number in range(64))


def test_a_stop_answers_the_event_in_hand():
    store = Store()
    store.gate.clear()
    source = receiver()
    with running(source, store):
        idle = RawPeer.connect(port_of(source))
        author = RawPeer.connect(port_of(source))
        author.send(event(1))
        wait_until(lambda: store.calls[event(1)], "handed in")
        store.gate.set()
    with author, idle:
        assert author.read().role is TransportRole.ACK
        assert author.is_closed()
        assert idle.is_closed()


def test_a_port_that_is_taken_is_a_passing_fault():
    taken = "cannot listen on 127.0.0.1 port [0-9]+: address already in use"
    with listener() as (_, port), pytest.raises(Transient, match=taken), running(receiver(port=port), Store()):
        pass


def test_ipv6_is_spoken_where_there_is_any():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("no IPv6 on this machine")
    source = receiver(host="::1", allow=("::1/128",))
    with running(source, Store()):
        connection = socket.create_connection(("::1", port_of(source)))
        with RawPeer(connection) as author:
            author.send(event(1))
            assert author.read().role is TransportRole.ACK


@pytest.mark.parametrize(
    ("options", "why"), [({"allow": ("everybody",)}, "no network such as 192.0.2.0/24"), ({"port": 70_000}, "65535")]
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
