"""GET /api/v1/coincidences/{id}/skymap.fits: what the members' maps together give."""

import io
from dataclasses import replace

import numpy as np
import pytest
from ligo.skymap.io import read_sky_map

from hub.model.coincidence import Member, MemberKind, coincidence_id
from hub.science.combined import combined
from hub.science.localization import localization_from_skymap
from hub.storage import coincidences, localizations
from tests.support.api_night import api, coincidence, localization, pair
from tests.support.skymaps import from_pixels, gaussian_map, with_distance

OTHER = localization_from_skymap(with_distance(gaussian_map(200.0, -20.0, 6.0, top_nside=4, rounds=2), 40.0, 10.0))
NORTH, SOUTH = (localization_from_skymap(from_pixels([i << 58], [(i + 1) << 58], [1.0])) for i in (0, 11))


def members(name):
    return (Member(kind=MemberKind.EVENT, id="S170817a"), Member(kind=MemberKind.EVENT, id=name))


def with_maps(name, *places):
    ids = tuple(one.localization_id for one in places)
    return replace(pair(), members=members(name), coincidence_id=coincidence_id("gw-grb", members(name)), localization_ids=ids)


TWO, APART, ONE = with_maps("two", localization(), OTHER), with_maps("apart", NORTH, SOUTH), with_maps("one", OTHER)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with api(tmp_path_factory.mktemp("night")) as (client, store):
        with store.transaction() as session:
            for place in (OTHER, NORTH, SOUTH):
                localizations.save(session, place)
            for one in (TWO, APART, ONE):
                coincidences.add(session, one)
        yield client


def test_the_combined_map_of_a_pair_is_a_file_that_ligo_skymap_reads(client):
    one = client.get(f"/api/v1/coincidences/{TWO.coincidence_id}").json()
    answer = client.get(one["links"]["skymap"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/fits"
    assert answer.headers["cache-control"] == "no-cache"
    assert f"{TWO.coincidence_id}.fits" in answer.headers["content-disposition"]
    table = read_sky_map(io.BytesIO(answer.content), moc=True)
    expected = combined([localization().skymap, OTHER.skymap])
    assert sorted(table.colnames) == ["DISTMU", "DISTNORM", "DISTSIGMA", "PROBDENSITY", "UNIQ"]
    np.testing.assert_allclose(np.sort(table["PROBDENSITY"]), np.sort(expected.skymap.probdensity), rtol=1e-12)
    again = client.get(one["links"]["skymap"], headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none", "there is no coincidence"),
        (ONE.coincidence_id, "fewer than two"),
        (coincidence(1).coincidence_id, "fewer than two"),
        (APART.coincidence_id, "exclude each other"),
    ],
)
def test_where_there_is_no_combined_map_the_reason_is_said(client, name, reason):
    answer = client.get(f"/api/v1/coincidences/{name}/skymap.fits")
    assert answer.status_code == 404
    assert reason in answer.json()["detail"]


def test_only_a_pair_with_two_maps_links_to_one(client):
    assert "skymap" not in client.get(f"/api/v1/coincidences/{ONE.coincidence_id}").json()["links"]
