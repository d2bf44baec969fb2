import json

import pytest

from adapters.codecs import tns
from adapters.codecs.decoder import WireDecoder
from hub.errors import DecodeError
from hub.model.envelope import Envelope
from hub.model.instant import Instant
from tests.support.tns_tables import api_object, table, zipped


def decode(payload):
    return WireDecoder().decode(Envelope(payload=payload, source="test", received_at=Instant(0)))


@pytest.mark.parametrize("wrap", [bytes, zipped], ids=["csv", "zip"])
@pytest.mark.parametrize("first_line", [True, False])
def test_a_table_of_public_objects_is_read_row_by_row(wrap, first_line):
    read = decode(wrap(table({}, {"name": "2026abd", "name_prefix": "AT", "type": "", "redshift": ""}, first_line=first_line)))
    assert (read.kind, read.summary["n_objects"], read.summary["n_refused"]) == ("reports", 2, 0)
    first, second = read.reports
    assert (first.name, first.prefix, first.classification, first.redshift) == ("2026abc", "SN", "SN Ia", 0.0123)
    assert (first.ra_deg, first.dec_deg) == (154.0001, -20.3)
    assert first.internal_names == ("ZTF26abcdefg", "XYZ26a")
    assert first.modified_at == Instant.from_utc_iso("2026-03-02T01:00:00Z")
    assert (second.prefix, second.classification, second.redshift) == ("AT", None, None)
    assert [one.name for one in read.reports] == ["2026abc", "2026abd"], "it can be gone through again"


def test_a_row_that_cannot_be_read_is_counted_and_named_and_stops_no_other():
    read = decode(table({"ra": "x"}, {"declination": "95"}, {"name": "<b>"}, {}))
    assert (read.summary["n_objects"], read.summary["n_refused"]) == (1, 3)
    assert read.summary["first_refusals"][0] == "line 3: 2026abc has no place on the sky"
    assert [one.name for one in read.reports] == ["2026abc"]


def test_a_short_row_and_bytes_that_are_no_utf8_are_no_end_of_the_table():
    lines = table({}, {"reporters": "M\xfcller"}).decode().encode("latin-1")
    read = decode(lines + b'"7","AT"\n')
    assert (read.summary["n_objects"], read.summary["n_refused"]) == (2, 1)


def test_a_table_without_a_row_that_can_be_read_is_refused():
    with pytest.raises(DecodeError, match="no row of the table can be read"):
        decode(table({"ra": ""}))


def test_an_archive_of_something_else_is_refused():
    for payload in (zipped(b"x", "x.exe"), zipped(b"hello\nworld\n"), b"PK\x03\x04" + b"\x00" * 40):
        with pytest.raises(DecodeError):
            decode(payload)


def test_an_archive_that_unpacks_to_more_than_it_may_is_refused(monkeypatch):
    monkeypatch.setattr(tns, "MAX_CSV_BYTES", 1000)
    with pytest.raises(DecodeError, match="more than the 1000 bytes allowed"):
        decode(zipped(table({}) + b"\n" * 5000))


def test_an_archive_that_breaks_off_is_refused():
    whole = bytearray(zipped(table(*[{"name": f"2026{chr(97 + i)}aa"} for i in range(20)])))
    whole[80:120] = b"\xff" * 40
    with pytest.raises(DecodeError):
        decode(bytes(whole))


def test_an_object_of_the_api_is_read_wrapped_and_bare():
    wrapped = decode(json.dumps(api_object()).encode())
    older = api_object()
    older["data"] = {"reply": older["data"]}
    for read in (wrapped, decode(json.dumps(older).encode()), decode(json.dumps(api_object()["data"]).encode())):
        (one,) = read.reports
        assert (one.name, one.prefix, one.classification, one.redshift, one.host) == ("2026abc", "SN", "SN Ia", 0.0123, "NGC 1")
        assert one.modified_at is None
    assert (
        next(iter(wrapped.reports)).version != next(iter(decode(json.dumps(api_object(redshift=0.02)).encode()).reports)).version
    )


def test_an_object_without_a_place_is_refused():
    with pytest.raises(DecodeError, match="no place on the sky"):
        decode(json.dumps(api_object(radeg=None)).encode())
