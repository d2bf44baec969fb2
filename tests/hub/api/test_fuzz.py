"""Junk in every parameter of every route: a problem or an answer, never a failure of the hub."""

import base64
import json
import re
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.api_night import api

JUNK = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "",
            "0",
            "-1",
            "1",
            "nan",
            "inf",
            "-inf",
            "1e400",
            "1e308",
            "9" * 30,
            "-" + "9" * 30,
            "true",
            "null",
            "[]",
            "{}",
            "a\x00b",
            "..",
            "%00",
            "'; DROP TABLE events; --",
            "%",
            "_",
            "\\",
            "2017-08-17T12:41:60Z",
            "0000-00-00",
            "9999-12-31T23:59:59Z",
            "mjd:",
            "mjd:-1",
            "mjd:1e9",
            "gps:1e300",
            "gps:-inf",
            "W10=",
            "WzEsMl0=",
            "é",
            "\u202e",
            "\U0001f4a5",
            "S170817a",
            "GW170817",
            "gw",
            "open",
            "active",
            "1.xml",
        ]
    ),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(str),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5) | st.booleans(), lambda inner: st.lists(inner, max_size=4), max_leaves=8
    ).map(lambda value: quote(base64.urlsafe_b64encode(json.dumps(value).encode()).decode())),
)


NOT_FOR_ALL = {"/api/v1/session", "/api/v1/followup-log"}
"""Routes for those who have signed in, as nobody has here."""

ELSEWHERE = {"/api/v1/followup-networks", "/api/v1/followup/{intent_id}/status"}
"""Routes of the API beside the running hub, which knows what keeps a request from its network; this one says so."""


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with api(tmp_path_factory.mktemp("fuzz")) as (client, _):
        yield client


@pytest.fixture(scope="module")
def routes(client):
    document = client.get("/api/v1/openapi.json").json()
    found = []
    for path, operations in sorted(document["paths"].items()):
        if "get" not in operations:
            continue
        parameters = operations["get"].get("parameters", [])
        found.append((path, [one["name"] for one in parameters if one["in"] == "query"]))
    assert len(found) > 18
    return found


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_junk_never_makes_the_hub_fail(client, routes, data):
    path, names = data.draw(st.sampled_from(routes))
    drawn = [data.draw(JUNK) for _ in re.findall(r"\{[^}]+\}", path)]
    filled = re.sub(r"\{[^}]+\}", lambda _, values=iter(drawn): quote(next(values), safe=""), path)
    is_elsewhere = path in ELSEWHERE and not any("/" in one or one in ("", ".", "..") for one in drawn)  # else no route at all
    query = data.draw(st.dictionaries(st.sampled_from([*names, "unknown"]), JUNK, max_size=4))
    headers = {"If-None-Match": data.draw(st.sampled_from(["", "*", '"x"', 'W/"x", "y"']))}
    answer = client.get(filled, params=query, headers=headers)
    allowed = (503, 422) if is_elsewhere else (401, 422) if path in NOT_FOR_ALL else (200, 304, 404, 422)
    assert answer.status_code in allowed, (filled, query, answer.text)
    if answer.status_code not in (200, 304):
        assert answer.headers["content-type"] == "application/problem+json"
    if answer.headers.get("content-type") == "application/json":
        json.loads(answer.content, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
