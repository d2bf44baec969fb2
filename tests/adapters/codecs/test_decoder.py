import copy
import gzip
import json
import random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from adapters.codecs.decoder import WireDecoder
from hub.errors import DecodeError, NotAMessage
from hub.model.envelope import Envelope
from hub.model.instant import Instant
from hub.ports import DecodedAlerts, DecodedContext, DecodedNotice
from tests.support import json_notices as made
from tests.support import lsst_packets, ztf_packets

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""No wall clock in tests: the machine may be busy."""

NOW = Instant.from_utc_iso("2026-03-01T03:00:00Z")
VOEVENT = b"""<?xml version="1.0"?>
<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" ivorn="ivo://example/test#1" role="test" version="2.0">
<Who><AuthorIVORN>ivo://example</AuthorIVORN><Date>2026-03-01T00:00:00</Date></Who></voe:VOEvent>"""


def decode(payload, topic=None):
    return WireDecoder().decode(Envelope(payload=payload, source="test", received_at=NOW, topic=topic))


def decoded_or_refused(payload):
    """What the bytes say, None where they are refused; whatever comes out can be stored as JSON."""
    try:
        said = decode(payload)
    except DecodeError as error:
        reason = error.reason
    else:
        reason = None
    if reason is not None:
        assert reason
        assert "\n" not in reason
        assert len(reason) < 400
        return None
    if isinstance(said, DecodedNotice):
        notice = said.notice
        kept = [notice.properties, notice.extra, notice.classification, notice.aliases, notice.depends_on, notice.vetoes]
        json.dumps(kept, allow_nan=False).encode()
        for text in (notice.identity, notice.event_key or "", notice.stream, notice.mission, notice.instrument or ""):
            assert "\x00" not in text
            assert len(text.encode()) < 2_000
        for moment in (notice.t0, notice.issued_at):
            assert moment is None or moment.to_utc_iso().endswith("Z")
        if notice.position is not None:
            assert 0.0 <= notice.position.ra_deg < 360.0
            assert -90.0 <= notice.position.dec_deg <= 90.0
        assert notice.far_hz is None or 0.0 <= notice.far_hz < float("inf")
    if isinstance(said, DecodedContext):
        json.dumps(said.summary, allow_nan=False).encode()
    return said


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (made.as_bytes(made.gbm()), "gcn-unified"),
        (made.as_bytes(made.guano()), "gcn-unified"),
        (made.as_bytes(made.boom_alert()), "gcn-unified"),
        (made.as_bytes(made.igwn_alert()), "igwn-json"),
        (made.as_avro(made.igwn_alert()), "igwn-avro"),
        (made.as_bytes(made.snews()), "snews2"),
        (b"\xef\xbb\xbf \n" + made.as_bytes(made.gbm()), "gcn-unified"),
        (VOEVENT, "voevent-2.0"),
        (b"\n\n" + VOEVENT.partition(b"\n")[2], "voevent-2.0"),
    ],
)
def test_a_notice_is_known_by_its_bytes(payload, name):
    said = decode(payload)
    assert isinstance(said, DecodedNotice)
    assert said.notice.format == name


@pytest.mark.parametrize(
    ("payload", "kind", "name"),
    [
        (made.as_bytes(made.circular()), "circular", "gcn-circular-json"),
        (b"TITLE: GCN CIRCULAR\nNUMBER: 7\nSUBJECT: something\n\ntext", "circular", "gcn-circular-text"),
        (b'{"detector_name": "JUNO", "machine_time": "2026-03-01", "detector_status": "ON"}', "transport", "snews2-heartbeat"),
    ],
)
def test_what_is_no_event_is_context(payload, kind, name):
    said = decode(payload)
    assert isinstance(said, DecodedContext)
    assert (said.kind, said.format) == (kind, name)


def test_the_topic_becomes_the_stream():
    assert decode(made.as_bytes(made.gbm()), "gcn.notices.fermi.gbm").notice.stream == "gcn.notices.fermi.gbm"
    assert decode(b'{"created_at": "now"}', "gcn.heartbeat").format == "gcn-heartbeat"


@pytest.mark.parametrize(
    ("payload", "name", "survey"),
    [
        (lsst_packets.framed("10.0"), "lsst-10.0", "LSST"),
        (lsst_packets.container("10.0", [lsst_packets.record("10.0")]), "lsst-10.0", "LSST"),
        (ztf_packets.container([ztf_packets.record()]), None, "ZTF"),
    ],
)
def test_alerts_become_a_batch(payload, name, survey):
    said = decode(payload)
    assert isinstance(said, DecodedAlerts)
    assert name is None or said.format == name
    (detail,) = WireDecoder().decode_details(payload)
    assert detail.survey == survey


def test_a_batch_of_alerts_survives_a_bad_one():
    payloads = [lsst_packets.framed("10.0"), b"junk"]
    rows = WireDecoder().decode_packets(payloads)
    assert [len(batch) for batch in rows.batches] == [1]
    assert [index for index, _ in rows.refused] == [1]


def fits(*columns, naxis2=5):
    """A FITS file of an empty primary unit and one table, headers only."""

    def unit(**cards):
        lines = [f"{key:<8}= {value}" for key, value in cards.items()]
        return "".join(line.ljust(80) for line in [*lines, "END"]).encode().ljust(2880)

    named = {f"TTYPE{i}": f"'{name}'" for i, name in enumerate(columns, 1)}
    primary = unit(SIMPLE="                   T", BITPIX=8, NAXIS=0, EXTEND="T")
    table = unit(XTENSION="'BINTABLE'", BITPIX=8, NAXIS=2, NAXIS1=16, NAXIS2=naxis2, PCOUNT=0, TFIELDS=len(columns), **named)
    return primary + table + bytes(2880)


@pytest.mark.parametrize("columns", [("UNIQ", "PROBDENSITY"), ("PROB",), ("PROBABILITY", "SIGNIFICANCE")])
@pytest.mark.parametrize("packed", [False, True])
def test_a_bare_sky_map_is_context(columns, packed):
    payload = fits(*columns)
    said = decode(gzip.compress(payload) if packed else payload)
    assert isinstance(said, DecodedContext)
    assert (said.kind, said.format) == ("skymap", "fits")
    assert said.summary["columns"] == list(columns)


@pytest.mark.parametrize("payload", [fits("UNIQ"), fits("RAJ2000", "DEJ2000"), fits()[:2880], b"SIMPLE  =" + b"x" * 100_000])
def test_other_fits_files_hold_no_sky_map(payload):
    with pytest.raises(NotAMessage, match="a FITS file without a sky map"):
        decode(payload)


def test_a_gzip_bomb_is_only_looked_at():
    bomb = gzip.compress(b"SIMPLE  =" + b" " * 50_000_000)
    with pytest.raises(NotAMessage, match="without a sky map"):
        decode(bomb)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x00",
        b"\x00\xff\xff\xff\xffabc",
        b"ra,dec\n1,2\n",
        b"# A heading\n\nprose",
        b"\x89HDF\r\n\x1a\n" + bytes(100),
        gzip.compress(b"hello", mtime=0),
        b"\x1f\x8b",
        b"\xff\xfe\x00\x01",
    ],
)
def test_what_is_no_message_is_called_that(payload):
    with pytest.raises(NotAMessage, match=r"^not a message$"):
        decode(payload)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "no notice that the hub knows$"),
        ([], "a JSON list"),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}, "a JSON schema"),
        ({"type": "record", "name": "x", "fields": []}, "an Avro schema"),
        ({"diaSourceId": 1, "diaSource": {}}, "an LSST alert turned into JSON"),
        ({"gcn.notices.icecube": 3.5}, "no notice that the hub knows$"),
    ],
)
def test_other_json_is_called_what_it_is(value, reason):
    with pytest.raises(NotAMessage, match=reason):
        decode(json.dumps(value).encode())


def test_a_record_of_gracedb_is_no_notice():
    with pytest.raises(DecodeError, match="a GraceDB record, not a notice"):
        decode(b'{"uid": "E1", "alert_type": "new", "object": {"graceid": "E1"}}')


WRONG = (
    None,
    True,
    -1,
    0,
    1e308,
    "",
    "x",
    "NaN",
    [],
    {},
    [None],
    {"a": [1]},
    10**60,
    "2026-02-30T00:00:00Z",
    [[1, 2], [3, "4"]],
    1e-320,
)
WRONG_TEXT = (b"NaN", b"-Infinity", b"1e999")
"""Values that JSON text can say and a Python literal for `json.dumps` cannot."""


def places(value, path=()):
    """Paths to every member of a nested message."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield (*path, index)
            yield from places(inner, (*path, index))


def replaced(message, path, value):
    changed = copy.deepcopy(message)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


@pytest.mark.parametrize("build", made.ALL, ids=lambda build: build.__name__)
def test_a_wrong_type_in_any_field_is_decoded_or_refused(build):
    message = build()
    survivors = 0
    for path in places(message):
        for wrong in WRONG:
            survivors += decoded_or_refused(json.dumps(replaced(message, path, wrong)).encode()) is not None
        for text in WRONG_TEXT:
            marked = json.dumps(replaced(message, path, "@here@")).encode()
            survivors += decoded_or_refused(marked.replace(b'"@here@"', text)) is not None
    assert survivors > 0


@pytest.mark.parametrize("build", made.ALL, ids=lambda build: build.__name__)
def test_a_missing_field_is_no_accident(build):
    message = build()
    for key in message:
        decoded_or_refused(json.dumps({name: value for name, value in message.items() if name != key}).encode())


@pytest.mark.parametrize("build", made.ALL, ids=lambda build: build.__name__)
def test_damaged_bytes_are_decoded_or_refused(build):
    good = made.as_bytes(build())
    dice = random.Random(7)
    for _ in range(200):
        broken = bytearray(good)
        for _ in range(dice.randint(1, 4)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        decoded_or_refused(bytes(broken))
        decoded_or_refused(good[: dice.randrange(len(good))])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
known_fields = st.sampled_from(sorted({str(step) for build in made.ALL for path in places(build()) for step in path}))


@calm
@given(json_values)
def test_arbitrary_json_is_decoded_or_refused(value):
    decoded_or_refused(json.dumps(value).encode())


@calm
@given(st.sampled_from(made.ALL), st.dictionaries(known_fields, json_values, max_size=4))
def test_known_fields_with_arbitrary_values_are_decoded_or_refused(build, changes):
    decoded_or_refused(json.dumps(build() | changes).encode())


@calm
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_decoded_or_refused(payload):
    decoded_or_refused(payload)


@calm
@given(st.dictionaries(st.text("xyz", min_size=1, max_size=6), json_values, max_size=5))
def test_unknown_fields_survive(fields):
    assume("\\u0000" not in json.dumps(fields))
    assume(None not in fields.values())
    unknown = {f"unknown_{name}": value for name, value in fields.items()}
    kept = decode(json.dumps(made.gbm() | unknown).encode()).notice.extra
    assert unknown.keys() <= kept.keys()
    for name, value in unknown.items():
        if "NaN" not in json.dumps(value) and "Infinity" not in json.dumps(value):
            assert kept[name] == value
