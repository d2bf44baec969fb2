"""JSON notices of our own making, in the shapes that the missions send."""

import base64
import io
import json
from collections.abc import Mapping
from typing import Any

import fastavro

TINY_FITS = b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800)
"""Begins as every FITS file does; enough where a codec only hands the map on."""


def igwn_alert(**changes: Any) -> dict[str, Any]:
    """An alert about an invented binary merger, with a map."""
    event = {
        "time": "2026-03-01T02:03:04.250Z",
        "far": 1.5e-9,
        "significant": True,
        "instruments": ["H1", "V1"],
        "group": "CBC",
        "pipeline": "pipe",
        "search": "AllSky",
        "classification": {"BNS": 0.7, "NSBH": 0.2, "BBH": 0.0, "Terrestrial": 0.1},
        "properties": {"HasNS": 1.0, "HasRemnant": 0.8, "HasMassGap": 0.0},
        "duration": None,
        "central_frequency": None,
        "skymap": base64.b64encode(TINY_FITS).decode(),
    }
    return {
        "alert_type": "PRELIMINARY",
        "time_created": "2026-03-01T02:05:00Z",
        "superevent_id": "S260301b",
        "urls": {"gracedb": "https://example.org/superevents/S260301b/view/"},
        "event": event,
        "external_coinc": None,
    } | changes


def igwn_with_coincidence() -> dict[str, Any]:
    """The same with another observatory's event beside it."""
    external = {
        "gcn_notice_id": 123456789,
        "ivorn": "ivo://example/Fermi#1",
        "observatory": "Fermi",
        "search": "GRB",
        "time_difference": 1.75,
        "time_coincidence_far": 3e-10,
        "time_sky_position_coincidence_far": 4e-12,
        "combined_skymap": base64.b64encode(TINY_FITS).decode(),
    }
    return igwn_alert(alert_type="UPDATE", external_coinc=external)


def gbm(**changes: Any) -> dict[str, Any]:
    """A Fermi GBM ground position with a statistical error only."""
    return {
        "$schema": "https://gcn.nasa.gov/schema/main/gcn/notices/fermi/gbm/trigger.schema.json",
        "mission": "Fermi",
        "instrument": "GBM",
        "messenger": "EM",
        "record_number": 5,
        "alert_datetime": "2026-03-01T02:04:00Z",
        "alert_tense": "current",
        "alert_type": "update",
        "subtype": "GROUND_POSITION",
        "trigger_time": "2026-03-01T02:03:06.00Z",
        "id": ["bn260301086", "794023391"],
        "ra": 101.5,
        "dec": -20.25,
        "ra_dec_error": 4.5,
        "containment_probability": 0.68,
        "systematic_included": False,
        "classification": {"GRB": 0.95, "SGR": 0.05},
        "healpix_url": "https://example.org/glg_healpix_all.fit",
        "rate_snr": 9.5,
        "detectors_status": ["on", "triggered"],
    } | changes


def icecube(**changes: Any) -> dict[str, Any]:
    """A single IceCube track."""
    return {
        "$schema": "https://gcn.nasa.gov/schema/v5.0.0/gcn/notices/icecube/single_neutrino_alerts.schema.json",
        "mission": "IceCube",
        "messenger": "Neutrino",
        "pipeline": "Gold Track Alert",
        "record_number": 1,
        "event_name": ["IceCube-260301A"],
        "id": ["141234_5678901_0"],
        "alert_datetime": "2026-03-01T02:10:00Z",
        "alert_type": "initial",
        "alert_tense": "current",
        "ra": 101.2,
        "dec": -19.9,
        "ra_dec_error": 0.6,
        "trigger_time": "2026-03-01T02:03:20Z",
        "nu_energy": 150.0,
        "p_astro": 0.6,
        "far": 5e-8,
    } | changes


def guano(**changes: Any) -> dict[str, Any]:
    """A find of Swift's targeted search, with its map, without a schema."""
    return {
        "mission": "Swift",
        "instrument": "BAT-GUANO",
        "alert_datetime": "2026-03-01T03:00:00Z",
        "alert_tense": "current",
        "alert_type": "initial",
        "trigger_time": "2026-03-01T02:03:05.5Z",
        "rate_duration": 1.0,
        "rate_snr": 8.0,
        "far": 1e-5,
        "follow_up_event": "Fermi 794023391",
        "follow_up_type": "GRB",
        "id": ["794023390"],
        "healpix_file": base64.b64encode(TINY_FITS).decode(),
    } | changes


def chime(**changes: Any) -> dict[str, Any]:
    """A fast radio burst with its ellipse's axes named the wrong way round, as seen in the wild."""
    return {
        "$schema": "https://gcn.nasa.gov/schema/main/gcn/notices/chime/frb.schema.json",
        "alert_type": "initial",
        "trigger_time": "2026-03-01T02:03:10.5Z",
        "id": "555000111",
        "ra": 101.0,
        "dec": -19.0,
        "ra_dec_error": [0.2, 0.3, 0],
        "dm": 300.5,
        "importance": 0.99,
    } | changes


def maxi(**changes: Any) -> dict[str, Any]:
    """An unknown X-ray source in a box."""
    return {
        "$schema": "https://gcn.nasa.gov/schema/main/gcn/notices/maxi/gsc.unknown.schema.json",
        "mission": "MAXI",
        "instrument": "GSC",
        "alert_datetime": "2026-03-01T04:00:00Z",
        "trigger_time": "2026-03-01T02:00:00Z",
        "id": "1234567890",
        "rectangular_error_corners": [[359.0, 9.0], [1.0, 9.0], [1.0, 11.0], [359.0, 11.0]],
    } | changes


def lvk_track_search(**changes: Any) -> dict[str, Any]:
    """IceCube's answer to a gravitational-wave alert."""
    return {
        "$schema": "https://gcn.nasa.gov/schema/main/gcn/notices/icecube/lvk_nu_track_search.schema.json",
        "ref_ID": "S260301b",
        "alert_datetime": "2026-03-01T02:30:00Z",
        "trigger_time": "2026-03-01T02:03:04Z",
        "observation_start": "2026-03-01T01:54:44Z",
        "observation_stop": "2026-03-01T02:11:24Z",
        "pval_generic": 0.02,
        "n_events_coincident": 1,
        "coincident_events": [{"event_dt": 12.5, "ra": 100.0, "dec": -21.0, "ra_dec_error": 0.5}],
        "most_probable_direction": {"ra": 100.1, "dec": -21.1},
    } | changes


def boom(**changes: Any) -> dict[str, Any]:
    """Two optical transients inside a gravitational-wave map."""
    target = {
        "event_name": "ZTF26aaaaaaa",
        "ra": 101.1,
        "dec": -20.0,
        "gcn_crossmatch": [{"ref_type": "GW", "ref_instrument": "LVK", "ref_ID": "S260301b"}],
    }
    limit = {"event_name": "ZTF26aaaaaaa", "observation_start": "2026-03-01T03:00:00Z", "limiting_mag": 20.5}
    first = {"event_name": "ZTF26aaaaaaa", "observation_start": "2026-03-02T03:00:00Z", "mag": 19.0}
    return {
        "$schema": "https://gcn.nasa.gov/schema/main/gcn/notices/boom/alert.schema.json",
        "alert_datetime": "2026-03-02T04:00:00Z",
        "mission": "Boom",
        "data": {"targets": [target, {**target, "event_name": "ZTF26bbbbbbb"}], "photometry": [limit, first]},
    } | changes


def boom_alert(**changes: Any) -> dict[str, Any]:
    """One survey alert in BOOM's short form."""
    return {
        "candid": 170000000000000001,
        "objectId": "170000000000000009",
        "jd": 2461101.0,
        "ra": 101.1,
        "dec": -20.0,
        "survey": "LSST",
        "filters": [],
    } | changes


def snews(**changes: Any) -> dict[str, Any]:
    """A detector's neutrino burst."""
    return {
        "detector_name": "KamLAND",
        "machine_time": "2026-03-01T02:03:10.0",
        "neutrino_time_utc": "2026-03-01T02:03:04.5",
        "p_val": 0.01,
        "is_test": False,
    } | changes


def circular(**changes: Any) -> dict[str, Any]:
    """A circular."""
    return {
        "circularId": 40001,
        "subject": "GRB 260301A: nothing seen",
        "body": "We looked and saw nothing.",
        "eventId": "GRB 260301A",
        "submitter": "A. Nobody",
        "createdOn": 1772330000000,
    } | changes


ALL = (
    igwn_alert,
    igwn_with_coincidence,
    gbm,
    icecube,
    guano,
    chime,
    maxi,
    lvk_track_search,
    boom,
    boom_alert,
    snews,
    circular,
)
"""One builder for each kind of message."""

_AVRO_EVENT = {
    "name": "EventInfo",
    "type": "record",
    "fields": [
        {"name": "time", "type": "string"},
        {"name": "far", "type": "double"},
        {"name": "significant", "type": "boolean"},
        {"name": "instruments", "type": {"type": "array", "items": "string"}},
        {"name": "group", "type": "string"},
        {"name": "pipeline", "type": "string"},
        {"name": "search", "type": "string"},
        {"name": "classification", "type": {"type": "map", "values": "double"}},
        {"name": "properties", "type": {"type": "map", "values": "double"}},
        {"name": "duration", "type": ["null", "double"]},
        {"name": "central_frequency", "type": ["null", "double"]},
        {"name": "skymap", "type": ["null", "bytes"]},
    ],
}
AVRO_SCHEMA: dict[str, Any] = {
    "name": "Alert",
    "namespace": "igwn.alerts",
    "type": "record",
    "fields": [
        {"name": "alert_type", "type": {"name": "AlertType", "type": "enum", "symbols": ["PRELIMINARY", "RETRACTION", "UPDATE"]}},
        {"name": "time_created", "type": "string"},
        {"name": "superevent_id", "type": "string"},
        {"name": "event", "type": ["null", _AVRO_EVENT]},
        {"name": "urls", "type": {"type": "map", "values": "string"}},
    ],
}
"""The fields that the codec reads, in the types of the public alerts."""


def as_bytes(message: Mapping[str, Any]) -> bytes:
    """A message on the wire."""
    return json.dumps(message).encode()


def as_avro(message: Mapping[str, Any], *, codec: str = "null") -> bytes:
    """An alert in an object container, its map as bytes."""
    record = json.loads(json.dumps(message))
    if record["event"] and record["event"]["skymap"]:
        record["event"]["skymap"] = base64.b64decode(record["event"]["skymap"])
    stream = io.BytesIO()
    fastavro.writer(stream, AVRO_SCHEMA, [record], codec=codec)
    return stream.getvalue()
