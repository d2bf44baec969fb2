import io

import fastavro
import numpy as np
import pytest

from hub.demo.avro_rows import encode_bytes, encode_long, encode_rows

FIELDS = [
    {"name": "id", "type": "long"},
    {"name": "other", "type": ["null", "long"]},
    {"name": "flux", "type": ["null", "float"]},
    {"name": "ra", "type": "double"},
    {"name": "flag", "type": ["null", "boolean"]},
    {"name": "band", "type": ["null", "string"]},
    {"name": "small", "type": "int"},
    {"name": "never", "type": ["null", "double"]},
]
SCHEMA = {"type": "record", "name": "row", "fields": FIELDS}


def test_rows_are_what_fastavro_writes_whatever_the_widths_and_gaps():
    rng = np.random.default_rng(3)
    n = 400
    ids = np.concatenate([[0, -1, 63, 64, -64, -65, 2**62, -(2**62), 2**63 - 1, -(2**63)], rng.integers(-(2**40), 2**60, n - 10)])
    columns = {
        "id": ids,
        "other": rng.integers(0, 300, n),
        "flux": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)).astype(np.float32).astype(np.float64),
        "ra": rng.uniform(0, 360, n),
        "flag": rng.random(n) < 0.5,
        "band": rng.choice(np.array([b"g", b"r"]), n),
    }
    rows = encode_rows(FIELDS, columns, {"small": -7})
    for index, row in enumerate(rows):
        flux = float(columns["flux"][index])
        expected = {
            "id": int(ids[index]),
            "other": int(columns["other"][index]),
            "flux": None if np.isnan(flux) else flux,
            "ra": float(columns["ra"][index]),
            "flag": bool(columns["flag"][index]),
            "band": columns["band"][index].decode(),
            "small": -7,
            "never": None,
        }
        out = io.BytesIO()
        fastavro.schemaless_writer(out, SCHEMA, expected)
        assert row == out.getvalue()


@pytest.mark.parametrize("value", [0, 1, -1, 63, 64, 127, 128, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_a_single_long_is_what_fastavro_writes(value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", value)
    assert encode_long(value) == out.getvalue()


def test_bytes_carry_their_length():
    assert encode_bytes(b"abc") == b"\x06abc"


def test_a_column_that_is_no_field_is_refused():
    with pytest.raises(ValueError, match="no field colour"):
        encode_rows(FIELDS, {"colour": np.zeros(2)}, {})


def test_a_missing_value_of_a_field_that_must_have_one_is_refused():
    with pytest.raises(ValueError, match="id cannot be None"):
        encode_rows(FIELDS, {"ra": np.zeros(2)}, {"small": 1})
    with pytest.raises(ValueError, match="ra may not be null"):
        encode_rows(FIELDS, {"id": np.arange(2), "ra": np.array([1.0, np.nan])}, {"small": 1})
