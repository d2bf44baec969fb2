import re
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.transports.vtp import messages
from adapters.transports.vtp.messages import EventHead, TransportMessage, TransportRole
from hub.errors import DecodeError
from hub.model.instant import Instant
from tests.support import bombs_xml
from tests.support.voevents import voevent

NOW = Instant.from_utc_iso("2026-01-02T03:04:05.678")
OTHER_NAMESPACE = "http://telescope-networks.org/schema/Transport/v1.1"


def test_every_transport_message_is_read_back():
    ours, theirs = "ivo://hub.example/hub", "ivo://peer.example/broker"
    assert messages.read(messages.iamalive(ours, NOW)) == TransportMessage(
        role=TransportRole.IAMALIVE, origin=ours, response=None, result=None, params=()
    )
    answer = messages.read(messages.iamalive(ours, NOW, to=theirs))
    assert (answer.role, answer.origin, answer.response) == (TransportRole.IAMALIVE, theirs, ours)
    question = messages.read(messages.authenticate(ours, NOW))
    assert (question.role, question.origin, question.response) == (TransportRole.AUTHENTICATE, ours, None)
    filters = (("mmhub-filter", "role == test"), ("xpath-filter", "/*[@role='test' and 1 < 2]"))
    assert messages.read(messages.authenticate(ours, NOW, to=theirs, params=filters)).params == filters
    taken = messages.read(messages.ack(ours, NOW, ivorn="ivo://a.b/c#1&2"))
    assert (taken.role, taken.origin, taken.response, taken.result) == (TransportRole.ACK, "ivo://a.b/c#1&2", ours, None)
    refused = messages.read(messages.nak(ours, NOW, ivorn="ivo://a.b/c#1", reason="no <good>\x00"))
    assert (refused.role, refused.result) == (TransportRole.NAK, "no <good>\\x00")


def test_elements_stand_in_the_order_that_the_schema_demands():
    written = messages.authenticate("ivo://a.b/c", NOW, to="ivo://d.e/f", params=(("name", "value"),)).decode()
    assert re.findall(r"<(\w+)[ >]", written) == ["Origin", "Response", "TimeStamp", "Meta", "Param"]
    assert "<TimeStamp>2026-01-02T03:04:05Z</TimeStamp>" in written


def test_a_leap_second_gives_a_time_that_a_schema_accepts():
    leap = Instant.from_utc_iso("2016-12-31T23:59:60.5Z")
    assert b"<TimeStamp>2016-12-31T23:59:59Z</TimeStamp>" in messages.iamalive("ivo://a.b/c", leap)


@pytest.mark.parametrize("namespace", [messages.NAMESPACE, OTHER_NAMESPACE, "urn:something.else"])
@pytest.mark.parametrize("prefix", ["trn:", ""])
def test_transport_is_known_by_its_local_name_whatever_its_namespace(namespace, prefix):
    declared = f"xmlns:{prefix[:-1]}" if prefix else "xmlns"
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><{prefix}Transport role="iamalive" version="1.0" {declared}="{namespace}">'
        f"<!-- hello --><Origin>\n ivo://peer.example/broker </Origin><TimeStamp>now</TimeStamp></{prefix}Transport>"
    )
    assert messages.read(text.encode()).origin == "ivo://peer.example/broker"


def test_old_filters_are_read_like_new_ones():
    text = (
        b'<Transport role="authenticate"><Origin>ivo://a.b/c</Origin><Meta><filter type="xpath">//x</filter></Meta></Transport>'
    )
    assert messages.read(text).params == (("xpath-filter", "//x"),)


@pytest.mark.parametrize("version", ["1.1", "2.0", "2.1"])
def test_an_event_is_known_by_its_start_tag(version):
    head = messages.read(voevent(version=version, ivorn="ivo://a.b/c#d", role="test"))
    assert head == EventHead(ivorn="ivo://a.b/c#d", role="test", version=version)


def test_an_event_without_role_and_version_takes_them_from_the_standard():
    head = messages.read(b'<v:VOEvent ivorn="ivo://a.b/c#d" xmlns:v="http://www.ivoa.net/xml/VOEvent/v2.0">')
    assert (head.role, head.version) == ("observation", "2.0")


def test_an_event_in_utf_16_is_read():
    document = voevent(ivorn="ivo://a.b/c#d").decode().replace("UTF-8", "UTF-16")
    assert messages.read(document.encode("utf-16")).ivorn == "ivo://a.b/c#d"


def test_of_an_event_only_the_start_tag_is_looked_at():
    assert (
        messages.read(b'<VOEvent ivorn="ivo://a.b/c#d" version="2.0"><What>' + b"x" * 100_000 + b"</broken").ivorn
        == "ivo://a.b/c#d"
    )


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "empty"),
        (b"hello", "no XML"),
        (b"<", "not well-formed|breaks off"),
        (b"<VOEvent ivorn='ivo://a.b/c'", "breaks off"),
        (b"<html><body/></html>", "root is html"),
        (b"<VOEvent/>", "no usable ivorn"),
        (b"<VOEvent ivorn='http://a.b/c'/>", "no usable ivorn"),
        (b"<VOEvent ivorn='ivo://" + b"a" * 1000 + b"'/>", "no usable ivorn"),
        (b"<Transport role='nonsense'/>", "role 'nonsense'"),
        (b"<Transport/>", "role ''"),
        (b"<Transport role='ack'>", "not well-formed"),
        (b"<Transport role='ack'>" + b"<a/>" * 5000 + b"</Transport>", "more than 1000 elements"),
        (b"<Transport role='ack'>" + b"a" * 100_000 + b"</Transport>", "more than the 65536 allowed"),
        (b"<?xml version='1.0' encoding='UTF-7'?><VOEvent ivorn='ivo://a.b/c#d'/>", "encoding UTF-7"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><Transport role='ack'><Origin>&b;</Origin></Transport>", "DOCTYPE"),
    ],
)
def test_what_is_no_message_is_refused_with_a_sentence(payload, why):
    with pytest.raises(DecodeError, match=why):
        messages.read(payload)


def test_an_entity_that_nothing_explains_is_no_danger():
    with pytest.raises(DecodeError, match="not well-formed"):
        messages.read(b"<Transport role='ack'><Origin>&b;</Origin></Transport>")


@pytest.mark.parametrize("bomb", bombs_xml.bombs(), ids=lambda bomb: bomb.name)
def test_no_bomb_goes_off_as_an_event_or_as_transport(bomb):
    payload = bomb.build()
    for document in (payload, payload.replace(b"VOEvent", b"Transport").replace(b'role="observation"', b'role="ack"')):
        with suppress(DecodeError):
            messages.read(document)


@given(junk=st.binary(max_size=500))
@example(junk=b"<a b='\x00'/>")
@example(junk=b"\xff\xfe<\x00")
def test_junk_is_a_message_or_a_sentence(junk):
    with suppress(DecodeError):
        messages.read(junk)
    assert messages.ivorn_in(junk).startswith("ivo://")


@given(data=st.data(), which=st.sampled_from(["event", "ack", "authenticate"]))
def test_a_mutated_message_is_a_message_or_a_sentence(data, which):
    payload = bytearray(
        {
            "event": voevent(),
            "ack": messages.ack("ivo://a.b/c", NOW, ivorn="ivo://d.e/f#g"),
            "authenticate": messages.authenticate("ivo://a.b/c", NOW, to="ivo://d.e/f", params=(("x", "y"),)),
        }[which]
    )
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(payload) - 1), st.integers(0, 255)), min_size=1, max_size=6)):
        payload[at] = byte
    with suppress(DecodeError):
        messages.read(bytes(payload))


@given(reason=st.text(max_size=800), ivorn=st.text(max_size=200))
def test_whatever_is_answered_is_a_transport_document(reason, ivorn):
    assert messages.read(messages.nak("ivo://a.b/c", NOW, ivorn=ivorn or "x", reason=reason)).role is TransportRole.NAK


def test_the_ivorn_of_an_unreadable_message_is_found_in_its_bytes():
    assert messages.ivorn_in(voevent(ivorn="ivo://a.b/c#d").replace(b"<Who>", b"<W&o>")) == "ivo://a.b/c#d"
    assert messages.ivorn_in(b"nothing") == messages.UNREADABLE
