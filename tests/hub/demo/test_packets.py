import io
import struct
from collections import Counter

from astropy.io import fits

CUTOUTS = ("cutoutDifference", "cutoutScience", "cutoutTemplate")


def test_every_packet_is_framed_and_decodes_to_its_last_byte(packets, records):
    assert len(records) == len(packets)
    assert {struct.unpack(">bI", envelope.payload[:5]) for envelope in packets} == {(0, 1000)}


def test_packets_are_as_large_as_real_ones_and_nearly_all_cutouts(packets, records):
    sizes = [len(envelope.payload) for envelope in packets]
    assert min(sizes) >= 104_000
    assert max(sizes) <= 117_500
    assert {len(record[name]) for record in records for name in CUTOUTS} == {34_560}


def test_cutouts_are_fits_files_of_three_images(records):
    for name in CUTOUTS:
        with fits.open(io.BytesIO(records[0][name])) as hdus:
            assert [hdu.shape for hdu in hdus] == [(30, 30), (30, 30), (41, 41)]


def test_ids_are_beyond_what_a_float_holds_and_sources_are_unique(records):
    ids = [record["diaSourceId"] for record in records]
    assert len(set(ids)) == len(ids)
    assert min(ids) > 2**53
    assert all(record["diaSource"]["diaSourceId"] == record["diaSourceId"] for record in records)


def test_exactly_one_of_object_and_solar_system_source_is_there(records):
    for record in records:
        source = record["diaSource"]
        if record["diaObject"] is None:
            assert source["diaObjectId"] == 0
            assert record["ssSource"]["ssObjectId"] == source["ssObjectId"] > 2**53
            assert record["ssSource"]["diaSourceId"] == record["diaSourceId"]
            assert record["mpc_orbits"]["packed_primary_provisional_designation"].startswith("K15")
            assert record["prvDiaSources"] is None
        else:
            assert source["ssObjectId"] == 0
            assert record["ssSource"] is record["mpc_orbits"] is None
            assert record["diaObject"]["diaObjectId"] == source["diaObjectId"]


def test_the_object_sums_up_its_sources(records):
    for record in records:
        if (summary := record["diaObject"]) is None:
            continue
        sources = [*(record["prvDiaSources"] or []), record["diaSource"]]
        assert summary["nDiaSources"] == len(sources)
        assert summary["firstDiaSourceMjdTai"] == sources[0]["midpointMjdTai"]
        assert summary["lastDiaSourceMjdTai"] == record["diaSource"]["midpointMjdTai"]
        assert summary["diaObjectId"] == sources[0]["diaSourceId"]
        for band in "gri":
            fluxes = [source["psfFlux"] for source in sources if source["band"] == band]
            assert summary[f"{band}_psfFluxNdata"] == len(fluxes)
            if fluxes:
                mean = sum(fluxes) / len(fluxes)
                assert abs(summary[f"{band}_psfFluxMean"] - mean) <= 1e-4 * max(map(abs, fluxes))
            else:
                assert summary[f"{band}_psfFluxMean"] is None


def test_a_first_detection_has_no_history_and_each_later_packet_has_what_was_sent_before(records):
    sent = {}
    for record in sorted(records, key=lambda r: r["diaSource"]["midpointMjdTai"]):
        source = record["diaSource"]
        earlier = record["prvDiaSources"]
        assert earlier != []
        if record["diaObject"] is None:
            continue
        times = [item["midpointMjdTai"] for item in earlier or []]
        assert times == sorted(times)
        assert all(time < source["midpointMjdTai"] for time in times)
        assert {item["diaObjectId"] for item in earlier or []} <= {source["diaObjectId"]}
        for previous in sent.get(source["diaObjectId"], []):
            assert previous in (earlier or [])
        sent.setdefault(source["diaObjectId"], []).append(source)


def test_all_detections_are_above_five_sigma_and_say_their_sign(records):
    for record in records:
        source = record["diaSource"]
        assert source["snr"] >= 4.99
        assert source["isNegative"] == (source["psfFlux"] < 0)
        assert 0 <= source["reliability"] <= 1


def test_known_variables_bring_a_history_of_many_detections(night, records):
    kinds = night.truth.kind_of_object
    lengths = Counter()
    for record in records:
        if record["diaObject"] is not None and kinds[str(record["diaSource"]["diaObjectId"])] == "variable star":
            lengths[len(record["prvDiaSources"] or []) >= 2] += 1
    assert lengths[True] > 2 * lengths[False] > 0
