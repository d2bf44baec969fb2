"""When objects began, as packets of LSST and ZTF tell it."""

import io
import json
import math
from typing import Any

import fastavro
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codecs.alerts import decode_messages
from adapters.codecs.alerts.past import Looks, past_of
from hub.model.alert import NO_TIME
from hub.model.instant import Instant
from tests.support import lsst_packets, ztf_packets

MJD = 61234.5
"""Of the alert."""

BRIGHT = {"psfFlux": 1500.0, "isNegative": False}


def us(mjd: float) -> int:
    return Instant.from_mjd_tai(mjd).tai_us


def row(version: str = "10.0", **packet: Any) -> dict[str, Any]:
    payload = lsst_packets.framed(version, lsst_packets.record(version, **(BRIGHT | packet)))
    (found,) = decode_messages([payload]).batches[0].rows()
    return found


def began(**packet: Any) -> tuple[float | None, float | None]:
    """Return when the object began and when it was last looked at in vain, days before the alert."""
    found = row(**packet)
    return tuple(None if found[name] == NO_TIME else round((us(MJD) - found[name]) / 86_400e6, 6) for name in TOLD)


TOLD = ("began_tai_us", "quiet_tai_us")


def forced(days_before: float, flux: float = 0.0, **more: Any) -> dict[str, Any]:
    return {"midpointMjdTai": MJD - days_before, "psfFlux": flux, **more}


@pytest.mark.parametrize("version", ["4.0", "7.4", "8.0", "9.0", "10.0", "11.1"])
def test_forced_photometry_that_shows_nothing_bounds_the_beginning_in_every_version(version: str) -> None:
    found = row(version, forced=(forced(5.0), forced(2.0), forced(1.0, band="g")))
    assert (found["began_tai_us"], found["quiet_tai_us"]) == (us(MJD), us(MJD - 2.0))


def test_forced_photometry_must_be_deep_enough_and_show_nothing() -> None:
    assert began(forced=(forced(2.0, psfFluxErr=400.0),)) == (0.0, None)  # five sigma are 2000 nJy, the object has 1500
    assert began(forced=(forced(2.0, flux=350.0),)) == (0.0, None)  # 3.5 sigma are neither
    assert began(forced=(forced(2.0, flux=290.0),)) == (0.0, 2.0)
    assert began(forced=(forced(2.0, psfFluxErr=None),)) == (0.0, None)
    assert began(forced=(forced(2.0, timeWithdrawnMjdTai=MJD),)) == (0.0, None)
    assert began(forced=(forced(0.0, flux=math.nan), forced(-1.0))) == (0.0, None)


def test_a_forced_detection_moves_the_beginning_back() -> None:
    found = row(forced=(forced(3.0), forced(2.0, flux=510.0), forced(1.0)))
    assert (found["began_tai_us"], found["first_tai_us"]) == (us(MJD - 2.0), us(MJD - 2.0))
    assert found["quiet_tai_us"] == us(MJD - 3.0)
    assert began(forced=(forced(3.0, psfFluxErr=103.0), forced(2.0, flux=510.0))) == (2.0, None)  # not as deep as that was faint


def test_negative_ones_and_dipoles_of_the_past_begin_nothing() -> None:
    earlier = {"midpointMjdTai": MJD - 4.0, **BRIGHT}
    assert began(history=(earlier,)) == (4.0, None)
    assert began(history=(earlier | {"isNegative": True, "psfFlux": -1500.0},), first_mjd=MJD - 4.0) == (0.0, None)
    assert began(history=(earlier | {"isDipole": True},), first_mjd=MJD - 4.0) == (0.0, None)
    assert began(first_mjd=MJD - 9.0) == (9.0, None)  # what the survey states counts where nothing speaks against it
    assert began(psfFlux=-1500.0, isNegative=True, first_mjd=MJD) == (None, None)
    assert began(isDipole=True, first_mjd=MJD) == (None, None)
    assert began(isDipole=True, history=(earlier,)) == (4.0, None)


def test_a_dipole_is_recorded() -> None:
    assert row(isDipole=True)["is_dipole"] is True
    assert row()["is_dipole"] is False


def test_packets_of_a_batch_do_not_mix() -> None:
    packets = [lsst_packets.record("10.0", **BRIGHT, forced=tuple(forced(n + k) for k in range(1, n))) for n in range(2, 9)]
    batch = decode_messages([lsst_packets.framed("10.0", packet) for packet in [*packets, packets[0]]]).batches[0]
    expected = [us(MJD - n - 1.0) for n in range(2, 9)]
    assert batch.quiet_tai_us.tolist() == [*expected, expected[0]]


def test_hundreds_of_looks_are_read() -> None:
    many = tuple(forced(2.0 + n / 100) for n in range(1500))
    plain = lsst_packets.framed("10.0", lsst_packets.record("10.0", **BRIGHT))
    full = lsst_packets.framed("10.0", lsst_packets.record("10.0", **BRIGHT, forced=many))
    batch = decode_messages([plain, full, plain, full]).batches[0]
    assert batch.quiet_tai_us.tolist() == [NO_TIME, us(MJD - 2.0)] * 2


looks = st.lists(
    st.tuples(
        st.sampled_from([-3, -2, -1, 0, NO_TIME]),
        st.sampled_from([-800.0, 0.0, 250.0, 600.0, 1500.0, math.nan]),
        st.sampled_from([50.0, 100.0, 400.0, math.nan, 0.0]),
        st.sampled_from([-1, 1, 2]),
        st.booleans(),
    ),
    max_size=6,
)


def columns(packets: list[list[tuple[int, float, float, int, bool]]]) -> Looks:
    flat = [one for packet in packets for one in packet]
    time, flux, error, band, begins = zip(*flat, strict=True) if flat else ((), (), (), (), ())
    return Looks(
        first=np.concatenate(([0], np.cumsum([len(packet) for packet in packets]))).astype(np.int64),
        time_us=np.array([one if one == NO_TIME else one * 86_400_000_000 for one in time], dtype=np.int64),
        flux_njy=np.array(flux, dtype=np.float64),
        flux_err_njy=np.array(error, dtype=np.float64),
        band=np.array(band, dtype=np.int64),
        begins=np.array(begins, dtype=np.bool_),
    )


def plainly(own: Any, earlier: Any, others: Any, stated: int) -> tuple[int, int]:
    """Return what `past_of` finds of one packet, by loops; times in days."""
    counted = [(time, flux, band) for time, flux, _, band, begins in (own, *earlier) if begins and time != NO_TIME]
    counted += [
        (time, flux, band) for time, flux, error, band, _ in others if error > 0 and flux >= 5 * error and time != NO_TIME
    ]
    known = min((time for time, _, _ in counted), default=None)
    begin = known
    if stated != NO_TIME and not any(one[0] == stated and not one[4] for one in (own, *earlier)):
        begin = stated if known is None else min(known, stated)
    measured = [(flux, -band) for time, flux, band in counted if time == known and math.isfinite(flux)]
    quiet = NO_TIME
    if begin is not None and begin == known and measured:
        faintest, band = min(measured)
        times = [
            time
            for time, flux, error, of_band, _ in others
            if time < begin and flux < 3 * error and 5 * error < faintest and of_band == -band != -1 and time != NO_TIME
        ]
        quiet = max(times, default=NO_TIME)
    return NO_TIME if begin is None else begin, quiet


@given(st.lists(st.tuples(looks.filter(len), looks, looks, st.sampled_from([NO_TIME, -3, -1])), min_size=1, max_size=4))
def test_columns_say_what_loops_say(drawn: list[tuple[Any, ...]]) -> None:
    own, earlier, others, stated = zip(*drawn, strict=True)
    day = 86_400_000_000
    told = np.array([one if one == NO_TIME else one * day for one in stated], dtype=np.int64)
    found = past_of(columns([one[:1] for one in own]), columns(list(earlier)), columns(list(others)), told)
    expected = [plainly(one[0], *rest) for one, *rest in zip(own, earlier, others, stated, strict=True)]
    days = [[one if one == NO_TIME else one // day for one in column.tolist()] for column in (found.began_us, found.quiet_us)]
    assert list(zip(*days, strict=True)) == expected


# ---------------------------------------------------------------------------------------------------------------------- ZTF

JD = 2460000.5
MAG_18 = 18.0


def ztf_schema() -> dict[str, Any]:
    """Return a schema with the fields of history that `ztf_packets.SCHEMA` leaves out."""
    schema = json.loads(json.dumps(ztf_packets.SCHEMA))
    number = ["null", "double"]
    schema["fields"][3]["type"]["fields"] += [{"name": name, "type": number} for name in ("jdendref", "psfFlux")]
    schema["fields"][4]["type"][1]["items"]["fields"] += [
        {"name": "fid", "type": ["null", "int"]},
        {"name": "isdiffpos", "type": ["null", "string"]},
        *({"name": name, "type": number} for name in ("magpsf", "diffmaglim", "ssdistnr")),
        {"name": "ssnamenr", "type": ["null", "string"]},
    ]
    names = ("jd", "forcediffimflux", "forcediffimfluxunc", "magzpsci")
    forced_fields = [{"name": name, "type": number} for name in names] + [{"name": "fid", "type": ["null", "int"]}]
    items = {"type": "record", "name": "ztf.alert.fp_hist", "fields": forced_fields}
    schema["fields"].append({"name": "fp_hists", "type": ["null", {"type": "array", "items": items}], "default": None})
    return schema


BLANK = dict.fromkeys(("candid", "fid", "isdiffpos", "magpsf", "diffmaglim", "ssdistnr", "ssnamenr"))


def limit(days_before: float, mag: float, fid: int = 2) -> dict[str, Any]:
    return BLANK | {"jd": JD - days_before, "diffmaglim": mag, "fid": fid}


def detection(days_before: float, mag: float, sign: str = "t", fid: int = 2) -> dict[str, Any]:
    return BLANK | {"jd": JD - days_before, "magpsf": mag, "isdiffpos": sign, "fid": fid, "candid": 7}


def ztf(history: list[dict[str, Any]] | None = None, fp: list[dict[str, Any]] | None = None, **candidate: Any) -> dict[str, Any]:
    packet = ztf_packets.record(history=history, magpsf=MAG_18, **candidate) | {"fp_hists": fp}
    packet["candidate"] |= {name: candidate.get(name) for name in ("jdendref", "psfFlux")}
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema(ztf_schema()), [packet])
    (found,) = decode_messages([out.getvalue()]).batches[0].rows()
    return found


def days_before(found: dict[str, Any]) -> tuple[float | None, float | None]:
    mid = found["mid_tai_us"]
    return tuple(None if found[name] == NO_TIME else round((mid - found[name]) / 86_400e6, 4) for name in TOLD)


def test_upper_limits_of_ztf_bound_the_beginning() -> None:
    assert days_before(ztf([limit(5.0, 20.0), limit(2.0, 19.0), limit(1.0, 17.5), limit(1.0, 21.0, fid=1)])) == (0.0, 2.0)
    assert days_before(ztf([limit(5.0, 20.0), detection(3.0, 19.0), limit(2.0, 20.0)])) == (3.0, 5.0)
    assert days_before(ztf([limit(5.0, 20.0), detection(3.0, 19.0, sign="f"), limit(2.0, 20.0)])) == (0.0, 2.0)
    assert days_before(ztf([limit(2.0, -999.0)])) == (0.0, None)


def test_forced_photometry_of_ztf_is_in_counts_with_a_zero_point() -> None:
    def look(days: float, counts: float, error: float) -> dict[str, Any]:
        return {"jd": JD - days, "forcediffimflux": counts, "forcediffimfluxunc": error, "magzpsci": 26.0, "fid": 2}

    # magnitude 18 is 10**(0.4 * 8) = 1585 counts
    assert days_before(ztf(fp=[look(4.0, 10.0, 20.0), look(1.0, 10.0, 400.0)])) == (0.0, 4.0)
    assert days_before(ztf(fp=[look(4.0, 10.0, 20.0), look(2.0, 400.0, 50.0), look(1.0, -99999.0, -99999.0)])) == (2.0, 4.0)


def test_ztf_dates_its_templates_and_lsst_does_not() -> None:
    stated = ztf(jdendref=JD - 1000.0)["template_tai_us"]
    assert round((ztf()["mid_tai_us"] - stated) / 86_400e6) == 1000
    assert ztf()["template_tai_us"] == NO_TIME
    assert row()["template_tai_us"] == NO_TIME
