"""Every word of the model comes back from JSON as it went, whatever it says."""

import dataclasses
import json
import types
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.model.coincidence import Candidate, Coincidence, Score
from hub.model.event import Event, StoredNotice, assemble
from hub.model.followup import Intent, Transition
from hub.model.instant import Instant
from hub.model.notice import Notice
from hub.model.sky import Region, SkymapSummary, StatedPosition
from hub.storage import candidates
from hub.storage.jsonable import dump, load
from hub.storage.tables import canonical
from tests.support.followup import make_candidate
from tests.support.words import notice, stored

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@cache
def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Return values of a type hint of the model, bytes left out (they are not part of the JSON)."""
    simple = {
        int: st.integers(),
        float: st.floats(allow_nan=False),
        str: st.text(max_size=12),
        bool: st.booleans(),
        Any: JSON_VALUES,
    }
    if hint in simple:
        return simple[hint]
    if hint is Instant:
        return st.builds(Instant, st.integers(0, 2**53))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        wanted = [f.name for f in dataclasses.fields(hint) if bytes not in (hints[f.name], *get_args(hints[f.name]))]
        return st.builds(hint, **{name: st.deferred(lambda name=name: values_of(hints[name])) for name in wanted})
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return st.one_of(*(st.none() if arg is type(None) else values_of(arg) for arg in args))
    if origin is tuple and args[-1] is Ellipsis:
        return st.lists(values_of(args[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(values_of(arg) for arg in args))
    if origin is Mapping:
        return st.dictionaries(st.text(max_size=6), NUMBERS | st.none() if args[1] != Any else JSON_VALUES, max_size=3)
    raise NotImplementedError(hint)


@pytest.mark.parametrize(
    "kind", [Notice, StoredNotice, Candidate, Coincidence, Intent, Transition, StatedPosition, SkymapSummary]
)
def test_words_come_back_as_they_went(kind: type) -> None:
    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(values_of(kind))
    def come_back(value: Any) -> None:
        wire = json.dumps(dump(value), allow_nan=False)
        assert load(kind, json.loads(wire)) == value

    come_back()


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(values_of(Candidate))
def test_the_short_way_of_a_candidate_gives_the_same_text(candidate: Candidate) -> None:
    assert candidates.text(candidate) == canonical(dump(candidate))


@pytest.mark.parametrize("value", [float("inf"), float("nan"), np.float64(0.1), np.float32(0.5), np.int64(7), np.bool_(True)])
def test_the_short_way_of_a_candidate_leaves_odd_numbers_to_the_long_one(value: Any) -> None:
    odd = Score(statistic="odd", version=1, value=value, unit="1", inputs={"value": value, "list": [1, "é"]})
    candidate = dataclasses.replace(make_candidate("S1", "1"), level=value, scores=(odd,))
    assert candidates.text(candidate) == canonical(dump(candidate))


@pytest.mark.parametrize("region", get_args(Region))
def test_every_region_comes_back_as_its_own_kind(region: type) -> None:
    @settings(max_examples=20, deadline=None, derandomize=True, database=None)
    @given(values_of(region))
    def come_back(value: Any) -> None:
        position = StatedPosition(ra_deg=1.0, dec_deg=2.0, region=value)
        back = load(StatedPosition, json.loads(json.dumps(dump(position)))).region
        assert type(back) is region
        assert back == value

    come_back()


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.lists(values_of(StoredNotice), min_size=1, max_size=4))
def test_an_event_of_any_notices_comes_back(found: list[StoredNotice]) -> None:
    event = assemble("X", found)
    assert load(Event, json.loads(json.dumps(dump(event), allow_nan=False))) == event


def test_bytes_stay_outside() -> None:
    document = dump(stored(notice(skymap=b"FITS")))
    assert "skymap" not in document["notice"]
    assert load(StoredNotice, document).notice.skymap is None


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes has no JSON form"):
        dump({"raw": b"x"})


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_kept_in_a_field_and_null_in_a_mapping(value: float) -> None:
    one = notice(far_hz=value, properties={"snr": value})
    back = load(Notice, json.loads(json.dumps(dump(one), allow_nan=False)))
    assert back.far_hz == value
    assert back.properties == {"snr": None}
