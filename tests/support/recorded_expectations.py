"""What the manifest of the recorded messages expects of ``mmhub decode``, field by field of its records."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.model.instant import Instant

Row = Mapping[str, Any]
"""One entry of the manifest, or one record of ``mmhub decode``."""

UNIFIED_STAGES = {"subsequent": "update"}
ROLES = {"observe": "observation", "sim": "test"}
BANDS = {1: "g", 2: "r", 3: "i"}
NO_MESSAGES = {"schema", "catalog", "moc", "topics", "igwn-internal", "lsst-json"}
"""Kinds of the manifest that are no messages, by its own words."""


@dataclass(frozen=True, slots=True)
class Check:
    """One field: what was read, what the manifest says, and whether that is the same."""

    field: str
    read: Any
    expected: Any
    is_same: bool


def checks(entry: Row, record: Row) -> list[Check]:
    """Return the comparison of one record with the manifest's entry of its file."""
    expect = entry["expect"]
    is_message = entry["kind"] not in NO_MESSAGES and "parse_error" not in expect
    found = [_same("kind", record["kind"], _kind(entry) if is_message else "rejected")]
    if record["kind"] == "rejected" or not is_message:
        return found
    return found + _READERS.get(entry["kind"], lambda _expect, _record: [])(expect, record)


def _kind(entry: Row) -> str:
    match entry["kind"]:
        case "lsst-alert" | "other-avro":
            return "alert"
        case "skymap":
            return "skymap"
        case "gcn-circular-text":
            return "circular"
        case "snews-json" if "detector_status" in entry["expect"]["keys"]:
            return "transport"
        case "gcn-json" if "circularId" in entry["expect"]:
            return "circular"
    return "notice"


def _voevent(expect: Row, record: Row) -> list[Check]:
    has_place = expect.get("ra_deg") is not None and (expect["ra_deg"], expect["dec_deg"]) != (0.0, 0.0)
    return [
        _same("format", record["format"], f"voevent-{expect['version']}"),
        _same("ivorn", record["ivorn"], expect["ivorn"]),
        _same("role", record["role"], ROLES.get(expect["role"], expect["role"])),
        *_classic(expect["params"], record),
        _time("t0", record["t0"], expect["event_time_text"][0]),
        *(
            _close(ours, record[ours], expect[theirs] if has_place else None)
            for ours, theirs in (("ra_deg", "ra_deg"), ("dec_deg", "dec_deg"))
        ),
        _close("radius_deg", record["radius_deg"], (expect["error_radius_deg"] or None) if has_place else None),
    ]


def _classic(params: Mapping[str, str], record: Row) -> list[Check]:
    """What the parameters of a GCN classic notice say of its event; the manifest has some of them as text."""
    found = []
    if "GraceID" in params:
        found.append(_same("event_id", record["event_id"], params["GraceID"]))
        found.append(_same("stage", record["stage"].replace("_", ""), params.get("AlertType", record["stage"]).lower()))
    elif "run_id" in params:
        found.append(_same("event_id", record["event_id"], f"IceCube-{params['run_id']}-{params['event_id']}"))
    elif "TrigID" in params and record["role"] != "utility":
        name = f"{record['mission']}-{params['TrigID'].lstrip('0') or '0'}"
        found.append(_same("event_id", record["event_id"], name))
    if "FAR" in params:  # a year in IceCube's notices, a second in those of the gravitational-wave detectors
        year_s = 365.25 * 86_400 if "run_id" in params else 1.0
        found.append(_close("far_hz", record["far_hz"], float(params["FAR"]) / year_s))
    if "Terrestrial" in params:
        stated = {name: float(params[name]) for name in ("BNS", "NSBH", "BBH", "Terrestrial") if name in params}
        read = {name: value for name, value in record["classification"].items() if name in stated}
        found.append(_classes({"classification": read}, {"classification": stated}))
    return found


def _unified(expect: Row, record: Row) -> list[Check]:
    if record["kind"] == "circular":
        return []
    found: list[Check] = []
    is_test = (
        expect.get("alert_tense") == "test"
        or "/test." in expect.get("$schema", "")
        or str(expect.get("ref_ID", "")).startswith("MS")
    )
    found.append(_same("is a test", record["role"] == "test", is_test))
    if "id" in expect:
        found.append(_named("id", record, expect["id"]))
    if "trigger_time" in expect:
        found.append(_time("t0", record["t0"], expect["trigger_time"]))
    if "alert_type" in expect:
        found.append(_same("stage", record["stage"], UNIFIED_STAGES.get(expect["alert_type"], expect["alert_type"])))
    found += [_same(name, record[name], expect[name]) for name in ("mission", "instrument") if name in expect]
    places = {"ra": "ra_deg", "dec": "dec_deg", "containment_probability": "containment", "far": "far_hz"}
    found += [_close(ours, record[ours], expect[theirs]) for theirs, ours in places.items() if theirs in expect]
    if isinstance(expect.get("ra_dec_error"), int | float):
        found.append(_close("radius_deg", record["radius_deg"], expect["ra_dec_error"]))
    if "systematic_included" in expect:
        found.append(_same("systematic_included", record["systematic_included"], expect["systematic_included"]))
    if isinstance(expect.get("classification"), Mapping):
        found.append(_classes(record, expect))
    if "healpix_file" in expect:
        found.append(_same("skymap", record["skymap"] is not None, True))
    return found


def _igwn(expect: Row, record: Row) -> list[Check]:
    found = [
        _same("event_id", record["event_id"], expect["superevent_id"]),
        _same("stage", record["stage"].replace("_", ""), expect["alert_type"].lower()),
    ]
    if "far" not in expect:
        return found
    found += [
        _time("t0", record["t0"], expect["time"]),
        _close("far_hz", record["far_hz"], expect["far"], rel=1e-8),
        _classes(record, expect),
    ]
    return found + (_map(expect["skymap"], record["skymap"]) if expect.get("skymap") else [])


def _skymap(expect: Row, record: Row) -> list[Check]:
    return _map(expect, record)


def _map(expect: Row, numbers: Row | None) -> list[Check]:
    if numbers is None:
        return [_same("map", None, expect["creator"])]
    found = [_close(f"area{level}_deg2", numbers[f"area{level}_deg2"], expect[f"a{level}"], rel=1e-3) for level in (50, 90)]
    if expect["indxschm"] == "EXPLICIT":
        found.insert(0, _same("n_tiles", numbers["n_tiles"], expect["rows"]))
    if "distmean" in expect:  # the header's numbers are the producer's own, from posterior samples or a finer quadrature
        found += [
            _close(ours, numbers[ours], expect[theirs], rel=0.05)
            for ours, theirs in (("dist_mean_mpc", "distmean"), ("dist_std_mpc", "diststd"))
        ]
    return found


def _lsst(expect: Row, record: Row) -> list[Check]:
    old = {"dec": "decl", "midpointMjdTai": "midPointTai", "band": "filterName", "psfFlux": "psFlux"}

    def stated(name: str) -> Any:
        return expect.get(name, expect.get(old.get(name, name)))

    return [
        _same("source_id", record["source_id"], str(expect["diaSourceId"])),
        _same("object_id", record["object_id"], str(expect["diaObjectId"]) if expect["diaObjectId"] else None),
        _close("ra_deg", record["ra_deg"], expect["ra"], rel=1e-8),
        _close("dec_deg", record["dec_deg"], stated("dec"), rel=1e-8),
        _close("mjd_tai", record["mjd_tai"], stated("midpointMjdTai"), rel=1e-9),
        _same("band", record["band"], stated("band")),
        _close("flux_njy", record["flux_njy"], stated("psfFlux")),
        _close("snr", record["snr"], expect["snr"]),
        _close("reliability", record["reliability"], expect.get("reliability")),
        _same("is_solar_system", record["is_solar_system"], bool(expect.get("ssObjectId"))),
        _same("n_history", record["n_history"], expect["n_prvDiaSources"]),
    ]


def _ztf(expect: Row, record: Row) -> list[Check]:
    flux = 3631e9 * 10 ** (-0.4 * expect["magpsf"])
    return [
        _same("source_id", record["source_id"], str(expect["candid"])),
        _same("object_id", record["object_id"], expect["objectId"]),
        _close("ra_deg", record["ra_deg"], expect["ra"]),
        _close("dec_deg", record["dec_deg"], expect["dec"]),
        _close("mjd_tai", record["mjd_tai"], Instant.from_jd_utc(expect["jd"]).mjd_tai, rel=2e-8),
        _same("band", record["band"], BANDS[expect["fid"]]),
        _close("flux_njy", record["flux_njy"], -flux if expect["isdiffpos"] in ("f", "0", False) else flux),
        _close("snr", record["snr"], 1.0857362 / expect["sigmapsf"]),
        _close("reliability", record["reliability"], expect.get("drb", expect["rb"])),
        Check(
            "n_history",
            record["n_history"],
            f"at most {expect['n_prv_candidates']}",
            record["n_history"] <= expect["n_prv_candidates"],
        ),
    ]


def _classes(record: Row, expect: Row) -> Check:
    read, expected = record["classification"] or {}, expect["classification"] or {}
    is_same = read.keys() == expected.keys() and all(abs(read[name] - expected[name]) < 1e-9 for name in read)
    return Check("classification", read, expected, is_same)


def _named(field: str, record: Row, ids: Any) -> Check:
    """Whether each id stands in the event's own id or one of its other names."""
    names = [ids] if isinstance(ids, str) else list(ids)
    told = [record["event_id"], *record["aliases"]]
    return Check(
        field,
        ", ".join(map(str, told)),
        ", ".join(names),
        all(any(name.replace("_", "-").removesuffix("-0") in text for text in told) for name in names),
    )


def _same(field: str, read: Any, expected: Any) -> Check:
    return Check(field, read, expected, read == expected)


def _close(field: str, read: float | None, expected: float | None, rel: float = 1e-5) -> Check:
    if read is None or expected is None:
        return _same(field, read, expected)
    return Check(field, read, expected, abs(read - expected) <= rel * abs(expected) + 1e-12)


def _time(field: str, read: str | None, expected: str | None) -> Check:
    if read is None or expected is None:
        return _same(field, read, expected)
    return Check(field, read, expected, Instant.from_utc_iso(read) == Instant.from_utc_iso(expected))


_READERS: Mapping[str, Callable[[Row, Row], list[Check]]] = {
    "voevent": _voevent,
    "gcn-json": _unified,
    "igwn": _igwn,
    "skymap": _skymap,
    "lsst-alert": _lsst,
    "other-avro": _ztf,
}
"""By the manifest's kind; of other kinds only what they are is compared."""
