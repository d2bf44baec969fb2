"""GET /api/v1/rates: what pairs are computed with."""

import pytest

from hub.api import wire_rates
from hub.model.event import assemble
from hub.storage import events
from tests.support.api_night import T0, api
from tests.support.words import DAY_S, grb, stored


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with api(tmp_path_factory.mktemp("night")) as (client, store):
        with store.transaction() as session:
            for number in range(150):
                burst = grb(f"Fermi-{number}", t0=T0.plus_s(-(2.0 + 0.5 * number) * DAY_S))
                events.save(session, assemble(f"Fermi-{number}", [stored(burst)]))
        yield client


def rows(client, **parameters):
    answer = client.get("/api/v1/rates", params=parameters)
    assert answer.status_code == 200, answer.text
    return [wire_rates.Rate.model_validate(row) for row in answer.json()["data"]]


def test_the_rates_at_a_time_are_listed_with_their_errors_and_the_pairs_that_use_them(client) -> None:
    (bursts,) = [row for row in rows(client, at=T0.to_utc_iso()) if row.classes == ["grb"] and "gw-grb" in row.rules]
    assert (bursts.what, bursts.n, bursts.basis, bursts.is_storm) == ("triggers", 150, "measured", False)
    assert bursts.measured_per_yr == pytest.approx(150 / 90 * 365)
    assert bursts.error_per_yr == pytest.approx(150**0.5 / 90 * 365)
    assert bursts.measured_per_yr <= bursts.used_per_yr <= 1.1 * bursts.measured_per_yr


def test_long_before_nothing_was_counted_and_the_configured_rates_stand(client) -> None:
    for row in rows(client, at="2009-01-01T00:00:00Z"):
        assert (row.n, row.basis, row.used_per_yr) == (0, "configured", pytest.approx(row.configured_per_yr))


def test_a_time_that_is_none_is_refused_in_a_sentence(client) -> None:
    assert client.get("/api/v1/rates", params={"at": "yesterday"}).status_code == 422
