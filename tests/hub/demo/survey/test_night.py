import csv
import hashlib
import io
from datetime import date

import fastavro
import numpy as np
import pytest

from hub.demo.survey import camera, schedule
from hub.demo.survey.light_curves import (
    ARTEFACT,
    COUNTERPART,
    FAST_TRANSIENT,
    FLARE,
    KIND_NAMES,
    KNOWN_ASTEROID,
    SUPERNOVA,
    UNKNOWN_ASTEROID,
    VARIABLE_STAR,
)
from hub.demo.survey.night import SurveyNight
from hub.demo.survey.settings import shipped
from hub.demo.survey.slots import SCHEMAS
from hub.demo.survey.truth import counterpart_object_id, write_counterparts
from hub.errors import ConfigError
from tests.hub.demo.survey.conftest import DAY, deep, pair, small


def decoded(night: SurveyNight, visit: int) -> list[dict]:
    schema = fastavro.parse_schema(night.schema)
    records = []
    for packet in night.visit(visit).packets():
        body = io.BytesIO(packet[5:])
        records.append(fastavro.schemaless_reader(body, schema, None))
        assert body.read() == b""
        assert packet[:5] == b"\0" + night.schema_id.to_bytes(4, "big")
    return records


def digest(night: SurveyNight, visits) -> dict[int, str]:
    return {visit: hashlib.sha256(b"".join(night.visit(visit).packets())).hexdigest() for visit in visits}


@pytest.mark.parametrize("version", SCHEMAS)
def test_packets_say_what_the_truth_says(version):
    night = small(fraction=0.006, version=version, with_cutouts=True)
    for visit in (pair(night)[1], deep(night)):
        made = night.visit(visit)
        list(made.packets())
        truth = made.alerts
        records = decoded(night, visit)

        assert len(records) == len(truth) > 20
        for i, record in enumerate(records):
            source = record["diaSource"]
            assert record["diaSourceId"] == source["diaSourceId"] == truth.source_id[i]
            assert source["diaObjectId"] == truth.object_id[i]
            assert source["ssObjectId"] == truth.solar_system_id[i]
            assert (source["ra"], source["dec"]) == (truth.ra_deg[i], truth.dec_deg[i])
            assert source["psfFlux"] == np.float32(truth.flux_njy[i])
            assert source["psfFluxErr"] == np.float32(truth.flux_err_njy[i])
            assert source["snr"] == np.float32(truth.snr[i])
            assert source["reliability"] == np.float32(truth.reliability[i])
            assert (source["visit"], source["detector"], source["band"]) == (truth.visit, truth.detector[i], truth.band)
            assert source["midpointMjdTai"] == truth.mjd_tai
            assert source["isNegative"] == (truth.flux_njy[i] < 0)
            assert source["isDipole"] == truth.is_dipole[i]
            assert source["pixelFlags_saturatedCenter"] == truth.is_saturated[i]
            assert (record["observation_reason"], record["target_name"]) == (truth.reason, truth.target)
            past = record["prvDiaSources"]
            assert past is None or past
            assert len(past or ()) == truth.n_history[i]
            assert len(record["prvDiaForcedSources"] or ()) == truth.n_forced[i]
            if truth.kind[i] == KNOWN_ASTEROID:
                assert record["diaObject"] is None
                assert record["ssSource"]["ssObjectId"] == truth.solar_system_id[i]
                assert record["mpc_orbits"] is not None
            else:
                assert record["ssSource"] is None
                assert record["diaObject"]["nDiaSources"] == truth.n_history[i] + 1
                assert record["diaObject"]["firstDiaSourceMjdTai"] == truth.first_mjd_tai[i]
                times = [one["midpointMjdTai"] for one in past or ()]
                assert times == sorted(times)
                assert min([*times, truth.mjd_tai]) == truth.first_mjd_tai[i]


def test_cutouts_are_images():
    from astropy.io import fits

    night = small(fraction=0.001, with_cutouts=True)
    record = decoded(night, pair(night)[0])[0]
    for name in ("cutoutDifference", "cutoutScience", "cutoutTemplate"):
        with fits.open(io.BytesIO(record[name])) as images:
            assert images[0].data.shape == (30, 30)


def test_packets_have_the_sizes_of_real_ones():
    night = SurveyNight(3, DAY, fraction=0.02)
    wide = [len(packet) for packet in night.visit(pair(night)[0]).packets()]
    in_deep = [len(packet) for packet in night.visit(deep(night)).packets()]

    assert min(wide) > 104_000
    assert max(wide) < 160_000  # 139 kB is seen without a history, and it has up to 20 kB here
    assert 105_000 < np.median(wide) < 115_000
    assert 200_000 < np.percentile(in_deep, 95) < 320_000
    assert max(in_deep) < 360_000


def test_packets_without_cutouts_are_small(thinned):
    sizes = [len(packet) for packet in thinned.visit(pair(thinned)[0]).packets()]

    assert min(sizes) > 480
    assert np.median(sizes) < 6_000


def test_the_bytes_depend_on_seed_and_date_and_on_nothing_else(thinned):
    visits = [*pair(thinned), 400]
    first = digest(thinned, visits)

    assert first == digest(small(room_bytes=600_000), reversed(visits))
    assert first != digest(small(4), visits)
    assert first != digest(small(day=date(2026, 11, 24)), visits)


def test_a_smaller_night_is_a_part_of_the_larger_one(thinned):
    visit, _ = pair(thinned)
    few, many = set(small(fraction=0.005).visit(visit).packets()), set(thinned.visit(visit).packets())

    assert few < many
    assert 0.1 < len(few) / len(many) < 0.5


def test_the_second_visit_of_a_field_knows_the_first(thinned):
    earlier, later = pair(thinned)
    first = {record["diaSourceId"]: record for record in decoded(thinned, earlier)}
    again = decoded(thinned, later)
    visit = next(iter(first.values()))["diaSource"]["visit"]

    told = [past for record in again for past in record["prvDiaSources"] or () if past["visit"] == visit]

    assert len(told) > 10
    for past in told:
        assert past == first[past["diaSourceId"]]["diaSource"]


def test_a_later_night_knows_this_one(thinned):
    later = small(day=date(2026, 11, 26))
    visit, _ = pair(later)
    told = [past for record in decoded(later, visit) for past in record["prvDiaSources"] or ()]
    numbers = {number: i for i, number in enumerate(thinned.visits.number.tolist())}
    tonight = [past for past in told if past["visit"] in numbers]
    sent = {}
    for number in {past["visit"] for past in tonight}:
        sent |= {record["diaSourceId"]: record["diaSource"] for record in decoded(thinned, numbers[number])}

    assert tonight
    assert all(past == sent[past["diaSourceId"]] for past in tonight)


def test_a_night_that_is_dated_otherwise_is_the_same_but_for_its_times(thinned):
    visit, other_visit = pair(thinned)[1], 0
    begin = 61_500.25
    later = thinned.dated(other_visit, begin)
    shift = begin - thinned.visits.mjd_tai[other_visit]
    one, two = decoded(thinned, visit), decoded(later, visit)
    assert later.detections(visit).mjd_tai == pytest.approx(thinned.detections(visit).mjd_tai + shift, abs=1e-9)

    def strip(record: dict, moved: float) -> dict:
        return {
            name: strip(value, moved)
            if isinstance(value, dict)
            else [strip(one, moved) for one in value]
            if isinstance(value, list)
            else round(value + moved, 6)
            if "Mjd" in name and value is not None and value > 0
            else value
            for name, value in record.items()
            if name != "mpc_orbits"
        }

    assert [strip(record, shift) for record in one] == [strip(record, 0.0) for record in two]
    assert any(record["prvDiaSources"] for record in one)
    assert thinned.shift_days == 0.0


def test_the_table_of_counterparts_is_dated_as_the_packets_are(thinned, tmp_path):
    later = thinned.dated(0, 61_500.25)
    for name, night in (("a", thinned), ("b", later)):
        write_counterparts(tmp_path / name, night.counterparts, night.shift_days)
    first, second = (list(csv.DictReader((tmp_path / name).read_text().splitlines())) for name in "ab")

    shifts = [float(two["t0_mjd_tai"]) - float(one["t0_mjd_tai"]) for one, two in zip(first, second, strict=True)]
    assert shifts == pytest.approx([later.shift_days] * len(first), abs=1e-7)
    assert first


def test_detectors_that_were_not_processed_have_no_alerts():
    full = small(fraction=1.0)
    visits = range(0, 300, 20)
    empty = sum((np.bincount(full.detections(visit).detector, minlength=camera.N_DETECTORS) == 0).sum() for visit in visits)

    share = empty / (len(visits) * camera.N_DETECTORS)
    assert 0.005 < share < 0.05  # 1.5 % fail in processing, some have no template


def test_ids_are_unique_and_beyond_what_a_float_holds(thinned):
    ids = np.concatenate([thinned.detections(visit).source_id for visit in range(50, 120)])

    assert len(np.unique(ids)) == len(ids)
    assert ids.min() > 2**53
    assert ids.max() < 2**63


def test_the_counterparts_of_the_night_are_where_the_table_says():
    night = small(fraction=1e-6)
    tonight = [one for one in night.counterparts if one.night == night.night]
    ids = {counterpart_object_id(one): one for one in night.counterparts}
    seen = {}
    for visit in range(len(night)):
        if not (night.detections(visit).kind == COUNTERPART).any():
            continue
        for record in decoded(night, visit):
            source = record["diaSource"]
            if source["diaObjectId"] in ids:
                seen.setdefault(source["diaObjectId"], []).append(record)

    assert len(tonight) == night.simulation.counterparts.per_night
    target = next(one for one in tonight if one.is_target)
    assert counterpart_object_id(target) in seen
    for object_id, records in seen.items():
        one = ids[object_id]
        for record in records:
            source = record["diaSource"]
            assert source["dec"] == pytest.approx(one.dec_deg, abs=3e-4)
            assert record["diaObject"]["firstDiaSourceMjdTai"] > one.t0_mjd_tai
    aimed = [record for record in seen[counterpart_object_id(target)] if record["target_name"] == target.name]
    assert aimed


@pytest.fixture(scope="module")
def counted() -> np.ndarray:
    """Mean numbers of each kind in a visit of the wide survey, over the night."""
    whole = small(11, fraction=1.0)
    visits = np.flatnonzero(whole.visits.programme == schedule.WIDE)[::40].tolist()
    return sum(np.bincount(whole.detections(visit).kind, minlength=len(KIND_NAMES)) for visit in visits) / len(visits)


def test_a_visit_has_about_ten_thousand_alerts(counted):
    assert counted.sum() == pytest.approx(10_000, rel=0.25)


def test_a_night_has_as_many_new_supernovae_as_the_survey_expects():
    # Ten million in ten years (LSST Science Book, chapter 8) are 2,700 a night, each new in one packet: the first of its object.
    night = small(11, fraction=0.25)
    visits = np.flatnonzero(night.visits.programme == schedule.WIDE)
    sample = visits[::32].tolist()
    new = 0
    for visit in sample:
        made = night.visit(visit)
        list(made.packets())
        new += int(((made.alerts.kind == SUPERNOVA) & (made.alerts.n_history == 0)).sum())
    in_night = new / 0.25 * len(visits) / len(sample)

    assert 2_700 / 2 < in_night < 2_700 * 2


def test_afterglows_are_as_many_as_gamma_ray_bursts():
    sky_deg2 = 41_253.0
    per_year = shipped().population.fast_per_deg2_day * sky_deg2 * 365.25

    assert 666 / 2 < per_year < 2 * 666  # Paciesas et al. 1999, ApJS 122, 465


def test_fast_transients_and_flares_come_at_their_rates():
    whole = small(11, fraction=1.0)
    crowded = whole.simulation.model_copy(
        update={
            "population": whole.simulation.population.model_copy(update={"fast_per_deg2_day": 2.0, "flares_per_deg2_night": 40.0})
        }
    )
    night = small(11, fraction=1.0, simulation=crowded)
    visits = [visit for visit in range(0, len(night), 120) if night.visits.programme[visit] == schedule.WIDE]
    kinds = np.concatenate([night.detections(visit).kind for visit in visits])
    per_visit = np.bincount(kinds, minlength=len(KIND_NAMES)) / len(visits) / camera.AREA_DEG2

    # Flares fade by 1/e in 20 minutes: of a night's 40 a visit sees those of the last hour or two, out of 24.
    assert 0.5 < per_visit[FLARE] < 4.0
    # Afterglows of 21 mag and brighter stay above the limit for days: at least those of the last one, at most of the last sixteen.
    assert 0.5 * 2.0 * 0.5 < per_visit[FAST_TRANSIENT] < 16 * 2.0


def test_every_kind_has_its_share(counted):
    counts = counted
    share = dict(zip(KIND_NAMES, (counts / counts.sum()).tolist(), strict=True))

    assert share["variable star"] > 0.2
    assert share["active galaxy"] > 0.03
    assert 0.2 < share["artefact"] + share["bad site"] + share["ghost"] < 0.5
    assert counts[KNOWN_ASTEROID] > 50
    assert counts[UNKNOWN_ASTEROID] > 50
    assert counts[ARTEFACT] == pytest.approx(280 * camera.AREA_DEG2, rel=0.2)
    assert counts[VARIABLE_STAR] > counts[SUPERNOVA]


def test_a_version_that_is_not_written_is_named():
    with pytest.raises(ConfigError, match=r"10\.0, 11\.0, 11\.1"):
        SurveyNight(1, DAY, version="7.1")
