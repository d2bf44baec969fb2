"""ZTF alert packets of our own making: the fields that the hub reads, in object containers."""

import io
from typing import Any

import fastavro

_NUMBER = ["null", "double"]
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "ztf.alert",
    "version": "4.02",
    "fields": [
        {"name": "schemavsn", "type": "string"},
        {"name": "objectId", "type": "string"},
        {"name": "candid", "type": "long"},
        {
            "name": "candidate",
            "type": {
                "type": "record",
                "name": "ztf.alert.candidate",
                "fields": [
                    {"name": "jd", "type": "double"},
                    {"name": "fid", "type": "int"},
                    {"name": "ra", "type": "double"},
                    {"name": "dec", "type": "double"},
                    {"name": "magpsf", "type": "float"},
                    {"name": "sigmapsf", "type": "float"},
                    {"name": "isdiffpos", "type": ["string", "boolean", "int"]},
                    *({"name": name, "type": _NUMBER} for name in ("rb", "drb", "ssdistnr", "jdstarthist")),
                    {"name": "ssnamenr", "type": ["null", "string"]},
                ],
            },
        },
        {
            "name": "prv_candidates",
            "type": [
                "null",
                {
                    "type": "array",
                    "items": {
                        "type": "record",
                        "name": "ztf.alert.prv_candidate",
                        "fields": [{"name": "jd", "type": "double"}, {"name": "candid", "type": ["null", "long"]}],
                    },
                },
            ],
        },
    ],
}
"""Field names are ZTF's; a packet of the survey has many more."""

CANDIDATE: dict[str, Any] = {
    "jd": 2460000.5,
    "fid": 2,
    "ra": 10.0,
    "dec": -5.0,
    "magpsf": 20.0,
    "sigmapsf": 0.125,
    "isdiffpos": "t",
    "rb": 0.5,
    "drb": 0.875,
    "ssdistnr": -999.0,
    "ssnamenr": "null",
    "jdstarthist": None,
}
"""What `record` says unless told otherwise."""


def record(candid: int = 123456789, history: list[dict[str, Any]] | None = None, **candidate: Any) -> dict[str, Any]:
    """Return one packet."""
    return {
        "schemavsn": "4.02",
        "objectId": "ZTF26aaaaaaa",
        "candid": candid,
        "candidate": CANDIDATE | candidate,
        "prv_candidates": history,
    }


def container(packets: list[dict[str, Any]], codec: str = "null", schema: dict[str, Any] = SCHEMA) -> bytes:
    """Return an object container."""
    out = io.BytesIO()
    fastavro.writer(out, schema, packets, codec=codec)
    return out.getvalue()
