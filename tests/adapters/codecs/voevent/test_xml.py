"""Hostile and broken documents end as one sentence, quickly and in little memory."""

import tracemalloc

import pytest

from adapters.codecs.voevent import xml
from adapters.codecs.voevent.reader import decode
from hub.errors import DecodeError, NotAMessage
from tests.support.voevents import voevent

GOOD = voevent()


def laughs(depth):
    entities = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, depth))
    return f'<!DOCTYPE r [<!ENTITY l0 "ha">{entities}]><r>&l{depth - 1};</r>'.encode()


HOSTILE = {
    "internal entity": b'<!DOCTYPE VOEvent [<!ENTITY a "b">]>' + GOOD.split(b"\n", 1)[1],
    "external entity": b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/hostname">]><r>&a;</r>',
    "parameter entity": b'<!DOCTYPE r [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x"> %a;]><r/>',
    "external DTD": b'<!DOCTYPE VOEvent SYSTEM "http://127.0.0.1:9/x.dtd">' + GOOD.split(b"\n", 1)[1],
    "DOCTYPE in UTF-16": ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>').encode("utf-16"),
    "few laughs": laughs(3),
    "billion laughs": laughs(9),
    "undeclared entity": GOOD.replace(b"</Who>", b"<Description>&nobody;</Description></Who>"),
    "200,000 attributes": b"<r " + b" ".join(b'a%d=""' % i for i in range(200_000)) + b"/>",
    "2,000 attributes": b"<r " + b" ".join(b'a%d=""' % i for i in range(2_000)) + b"/>",
    "2,000 attributes with blanks": b"<r " + b" ".join(b"a%d = ''" % i for i in range(2_000)) + b"/>",
    "depth 300": b"<a>" * 300 + b"</a>" * 300,
    "depth 65": b"<a>" * 65 + b"</a>" * 65,
    "1,000,000 params": b"<What>" + b"<Param/>" * 1_000_000 + b"</What>",
    "30,000 params": b"<What>" + b"<Param/>" * 30_000 + b"</What>",
    "30,000 pairs of tags": b"<What>" + b"<P></P>" * 30_000 + b"</What>",
    "11 MB text": b"<VOEvent>" + b"x" * 11_000_000 + b"</VOEvent>",
    "UTF-7": b"<?xml version='1.0' encoding='UTF-7'?>+ADw-a/+AD4-",
    "unknown encoding": b"<?xml version='1.0' encoding='klingon'?><a/>",
    "UTF-16 that is none": b"\xff\xfe<",
    "NUL inside": GOOD.replace(b"</Who>", b"\0</Who>"),
    "junk before the declaration": b"A sample detection\n\n" + GOOD,
    "junk after the end": GOOD + b"<more/>",
    "cut in the middle": GOOD[: len(GOOD) // 2],
    "bytes as Python writes them": GOOD.replace(b'version="2.0"', b"version=b'\"2.0\"'"),
    "bad UTF-8": GOOD.replace(b"</Who>", b"<Description>\xff</Description></Who>"),
    "control character": GOOD.replace(b"</Who>", b"<Description>\x07</Description></Who>"),
    "control character by reference": GOOD.replace(b"</Who>", b"<Description>&#7;</Description></Who>"),
    "no ivorn": GOOD.replace(b"ivorn=", b"id="),
    "ivorn of another kind": GOOD.replace(b"ivo://", b"http://", 1),
    "endless ivorn": GOOD.replace(b"#Packet_1", b"#" + b"x" * 2_000),
    "no version at all": b"<VOEvent ivorn='ivo://a/b#c'/>",
    "version 3.0": GOOD.replace(b'version="2.0"', b'version="3.0"'),
    "version of a novel": GOOD.replace(b'version="2.0"', b'version="%s"' % (b"x" * 500)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_refused_with_one_sentence(name):
    with pytest.raises(DecodeError) as refusal:
        decode(HOSTILE[name], topic=None)
    reason = refusal.value.reason
    assert 10 < len(reason) < 300
    assert "\n" not in reason
    assert "<string>" not in reason
    assert reason.count("line ") <= 1


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" \n",
        b"\0\0",
        b"GET / HTTP/1.1\r\n",
        b"{}",
        b"\x00\x00\x03\x84",
        b"<html/>",
        b"<!doctype html><html></html>",
        b"<a:b xmlns:a='x'/>",
    ],
)
def test_what_is_no_voevent_is_no_message(payload):
    with pytest.raises(NotAMessage):
        decode(payload, topic=None)


@pytest.mark.parametrize("name", ["200,000 attributes", "1,000,000 params", "11 MB text", "30,000 params"])
def test_a_bomb_is_refused_before_there_is_a_tree(name, monkeypatch):
    def no_parser(*_args, **_keywords):
        raise AssertionError("the parser was reached")

    monkeypatch.setattr(xml.etree, "fromstring", no_parser)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            decode(HOSTILE[name], topic=None)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_the_limits_themselves_are_allowed():
    groups = {f"g{i}": {f"p{j}": j for j in range(100)} for i in range(100)}
    notice = decode(voevent(groups=groups)).notice
    assert notice.extra["g99.p99"] == "99"


def test_an_include_is_not_followed():
    included = b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/hostname" parse="text"/>'
    notice = decode(voevent(inside="<Description>plain</Description>").replace(b"</Who>", included + b"</Who>")).notice
    assert "hostname" not in str(notice.extra)


def test_a_stylesheet_instruction_and_comments_are_ignored():
    body = GOOD.split(b"\n", 1)[1]
    decorated = b"<?xml version='1.0'?><?xml-stylesheet href='http://127.0.0.1:9/x.xsl'?><!-- <a> -->" + body
    assert decode(decorated).notice == decode(GOOD).notice


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_with_a_byte_order_mark_is_read(encoding):
    text = GOOD.decode().replace("UTF-8", "UTF-16")
    mark = {"utf-16": b"", "utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}[encoding]
    assert decode(mark + text.encode(encoding)).notice == decode(GOOD).notice


@pytest.mark.parametrize("around", [(b"\xef\xbb\xbf", b""), (b"\n  ", b"\r\n"), (b"", b"\0")])
def test_a_byte_order_mark_and_blanks_around_the_document_do_no_harm(around):
    assert decode(around[0] + GOOD + around[1]).notice == decode(GOOD).notice


def test_a_transport_document_is_context():
    alive = (
        b'<trn:Transport role="iamalive" version="1.0" xmlns:trn="http://www.telescope-networks.org/xml/Transport/v1.1">'
        b"<Origin>ivo://a/b</Origin><TimeStamp>2024-01-01T00:00:00Z</TimeStamp></trn:Transport>"
    )
    context = decode(alive, topic=None)
    assert (context.kind, context.format) == ("transport", "vtp-transport")
    assert context.summary == {"role": "iamalive", "Origin": "ivo://a/b", "TimeStamp": "2024-01-01T00:00:00Z"}
