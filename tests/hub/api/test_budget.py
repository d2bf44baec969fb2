"""GET /api/v1/budget: promised against announced."""

import pytest

from hub.api import wire_budget
from hub.storage import announced, coincidences
from tests.support.api_night import api


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with api(tmp_path_factory.mktemp("night")) as (client, store):
        with store.transaction() as session:
            pair = next(one for one in coincidences.search(session) if one.kind == "gw-grb")
            announced.spend(session, pair, 0.01)
        yield client, pair


def budget(client, **parameters):
    answer = client.get("/api/v1/budget", params=parameters)
    assert answer.status_code == 200, answer.text
    return wire_budget.Budget.model_validate(answer.json()["data"])


def test_each_rule_has_its_share_and_what_was_spent_of_it(client) -> None:
    door, pair = client
    said = budget(door, days=3650)
    rows = {one.rule: one for one in said.shares}
    assert sum(one.share_per_month for one in said.shares) == pytest.approx(said.shared_per_month)
    assert said.promised_per_month <= said.shared_per_month <= said.false_per_month
    assert (rows["gw-grb"].announced, rows["gw-grb"].taken_back, rows["gw-grb"].spent_per_month) == (1, 0, 0.01)
    assert said.announced == sum(one.announced for one in said.shares) == 1
    assert [one.coincidence_id for one in said.last] == [pair.coincidence_id]
    assert rows["gw-grb"].max_joint_far_hz is not None
    assert rows["gw-grb"].max_expected_per_event is None


def test_a_number_of_days_that_is_none_is_refused_in_a_sentence(client) -> None:
    assert client[0].get("/api/v1/budget", params={"days": "0"}).status_code == 422
