"""The same API on PostgreSQL: filters, order, pages, and text that it cannot hold."""

import pytest

from tests.hub.api.test_api import LISTINGS, everything, get
from tests.support.api_night import api
from tests.support.postgres import new_database

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def clients(postgres, tmp_path_factory):
    """The API on PostgreSQL and on SQLite, with the same content."""
    url = new_database(postgres)
    with api(None, url=url) as (on_postgres, _), api(tmp_path_factory.mktemp("night")) as (on_sqlite, _):
        yield on_postgres, on_sqlite


def timeless(body):
    """Return a body without what grows while one looks: ages, and the alarms that name them."""
    if isinstance(body, list):
        return [timeless(one) for one in body]
    if not isinstance(body, dict):
        return body
    return {key: timeless(value) for key, value in body.items() if key not in ("oldest_waiting_s", "reported_s_ago", "alarms")}


def test_every_resource_has_the_shape_and_the_content_that_it_has_on_sqlite(clients):
    postgres, sqlite = clients
    found = list(everything(postgres))
    assert [timeless(body) for _, body in found] == [timeless(body) for _, body in everything(sqlite)]
    for shape, body in found:
        shape.model_validate(body)


@pytest.mark.parametrize(
    "query",
    [
        "events?messenger=gw,em&limit=2",
        "events?text=GW1708",
        "events?since=2017-08-17T12:41:10Z",
        "coincidences?max_level=0.4",
        "coincidences?max_far_hz=1e-16",
        "coincidences?event=GW170817&live=true",
        "candidates?min_score=4&confirmed=true",
        "followup?state=approved",
    ],
)
def test_a_filter_chooses_the_same_on_both(clients, query):
    postgres, sqlite = clients
    answer = get(postgres, f"/api/v1/{query}").json()
    assert answer == get(sqlite, f"/api/v1/{query}").json()
    assert answer["data"]


@pytest.mark.parametrize("url", list(LISTINGS))
def test_pages_put_together_are_the_whole_listing(clients, url):
    postgres, _ = clients
    collected, here = [], f"{url}?limit=1"
    while here:
        page = get(postgres, here).json()
        collected += page["data"]
        here = page["links"]["next"]
    assert collected == get(postgres, url).json()["data"]


@pytest.mark.parametrize("junk", ["a%00b", "%F0%9F%92%A5", "%E2%80%AE", "%ED%A0%80", "%27%3B--", "9" * 200])
def test_odd_text_is_answered_and_not_a_failure(clients, junk):
    postgres, _ = clients
    for url in (
        f"/api/v1/events/{junk}",
        f"/api/v1/events?text={junk}",
        f"/api/v1/coincidences?event={junk}",
        f"/api/v1/notices/{junk}/raw",
    ):
        assert postgres.get(url).status_code in (200, 404, 422), url
