"""What a person reads who made a mistake in a stream map."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codecs.alerts.stream_map import load, parse, read_file, shipped
from hub import resources
from hub.errors import ConfigError

GOOD = """
name = "mine"
title = "A stream of my own"
survey = "ZTF"
wire = "json"
[id]
source = "candid"
object = "objectId"
[position]
ra = "ra"
dec = "dec"
[time]
field = "jd"
scale = "jd_utc"
[selection]
kind = "filtered"
cuts = "rb above 0.9"
"""


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text.encode(), where="mine.toml")
    return str(caught.value)


def test_the_example_of_this_module_is_a_map():
    assert parse(GOOD.encode(), where="mine.toml").stream().tells_past is False


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('survey = "ZTF"', "", "mine.toml: the key survey is missing"),
        ('dec = "dec"', 'declination = "dec"', "mine.toml: there is no key position.declination"),
        ('dec = "dec"', 'dec = "a..b"', "mine.toml: position.dec.0: 'a..b' is no field: write names with dots between"),
        ('dec = "dec"', 'dec = "row.dec"', "row.dec is a field of a row, but there is no table [row]"),
        ('dec = "dec"', 'dec = ["declination", "ra"]', "position: ra cannot be right ascension and declination at once"),
        ('source = "candid"', 'source_prefix = "x:"', "there is no key source"),
        ('source = "candid"', 'source = "candid"\nsource_prefix = "x:1"', "'x:1' would cut digits or the sign off"),
        ("[selection]", '[brightness]\nunit = "nJy"\n[selection]', "brightness: the key field is missing"),
        ("[selection]", '[brightness]\nunit = "nJy"\nerror = "e"\nsnr = "s"\n[selection]', "error is that of the brightness in"),
        (
            'kind = "filtered"',
            'kind = "filtered"\nsnr_min = 5\nindependent_of = ["brightness"]',
            "not independent of the brightness",
        ),
        (
            'kind = "filtered"',
            'kind = "filtered"\nclasses = ["SN"]\nindependent_of = ["light curve", "brightness", "reliability"]',
            "a filter with classes is not independent of everything",
        ),
        ('scale = "jd_utc"', 'scale = "jd"', "time.scale: Input should be 'mjd_tai', 'mjd_utc', 'jd_utc'"),
        ('scale = "jd_utc"', 'scale = "jd_utc"\nat = "start"', "needs its length: time.exposure_s or time.exposure_default_s"),
        ('cuts = "rb above 0.9"', "", "a filtered stream says in `cuts`, in words"),
        ('kind = "filtered"', 'kind = "full"\nsnr_min = 5', "a full stream has no cuts"),
        ('wire = "json"', 'wire = "xml"', "wire.0: Input should be 'confluent-avro', 'avro-container'"),
        ('wire = "json"', 'wire = "json"\nschema_file = "a.avsc"', "schema_file is for wire = 'avro-schemaless'"),
        ('wire = "json"', 'wire = "json"\nschema_text = "{}"', "there is no key schema_text"),
        ('wire = "json"', 'wire = "json"\nreader = "lsst"', "the reader 'lsst' is for the survey LSST"),
        ('name = "mine"', 'name = "Mine!"', "mine.toml: name: String should match pattern"),
        ('name = "mine"', 'name = "mine', "mine.toml: the stream map is no TOML"),
    ],
)
def test_a_mistake_is_named_with_its_key(old: str, new: str, said: str):
    assert old in GOOD
    assert said in complaint(GOOD.replace(old, new))


def test_every_mistake_is_named_at_once():
    assert complaint('name = "x"').count("is missing") >= 5


def test_a_map_of_ones_own_hides_the_shipped_one_and_files_are_named_by_path(tmp_path: Path):
    (tmp_path / "ztf.toml").write_text(GOOD.replace('"mine"', '"ztf"'))
    alone = tmp_path / "elsewhere" / "mine.toml"
    alone.parent.mkdir()
    alone.write_text(GOOD)
    maps = load(tmp_path, [str(alone), "lsst"])
    assert maps["ztf"].title == "A stream of my own"
    assert maps[str(alone)].name == "mine"
    assert maps["lsst"] == shipped()["lsst"]


def test_a_stream_that_there_is_not_is_refused_with_those_that_there_are(tmp_path: Path):
    with pytest.raises(ConfigError, match="stream 'ztv': there is no such stream map; there are alerce, ampel, antares"):
        load(None, ["ztv"])
    with pytest.raises(ConfigError, match=r"nowhere.toml: the stream map cannot be read: No such file"):
        load(None, [str(tmp_path / "nowhere.toml")])
    with pytest.raises(ConfigError, match=r"intake.streams_dir: there is no folder"):
        load(tmp_path / "nowhere")
    (tmp_path / "a.toml").write_text(GOOD)
    (tmp_path / "b.toml").write_text(GOOD)
    with pytest.raises(ConfigError, match="another map in this folder is called 'mine'"):
        load(tmp_path)


def test_a_schema_beside_the_map_is_checked(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace('wire = "json"', 'wire = "avro-schemaless"\nschema_file = "a.avsc"'))
    with pytest.raises(ConfigError, match=r"schema_file: a.avsc cannot be read: No such file"):
        read_file(path)
    (tmp_path / "a.avsc").write_text('{"type": "array", "items": "null"}')
    with pytest.raises(ConfigError, match=r"schema_file: a.avsc: the schema is no record"):
        read_file(path)
    (tmp_path / "a.avsc").write_text('{"type": "record", "name": "a", "fields": [{"name": "ra", "type": "double"}]}')
    assert read_file(path).schema_text is not None


SHIPPED = {name: resources.read_bytes(name) for name in resources.listing("conf/streams") if name.endswith(".toml")}


@given(st.sampled_from(sorted(SHIPPED)), st.integers(0, 4000), st.integers(0, 40), st.binary(max_size=20))
def test_a_map_that_was_changed_anywhere_is_a_map_or_gives_a_sentence(name: str, at: int, cut: int, put: bytes):
    text = SHIPPED[name]
    at %= len(text)
    try:
        found = parse(text[:at] + put + text[at + cut :], where=name)
    except ConfigError:
        return
    assert found.stream().survey


@given(st.recursive(st.integers() | st.text() | st.none(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)))
def test_anything_else_gives_a_sentence(value: object):
    with pytest.raises(ConfigError):
        parse(repr(value).encode("utf-8", "replace"), where="x")
