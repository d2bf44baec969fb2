"""When an object began is told by visits of which nothing is in doubt, and by no others."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hub.model.alert import NO_TIME
from hub.ports import Incident, Position
from hub.science.onset import Basis, FirstSeen, Onsets
from hub.services.last_visits import KEPT_S, SureVisits
from hub.storage import incidents, positions
from hub.storage.engine import Store
from tests.support.api_night import fill
from tests.support.hearing import DAY_S, Hub
from tests.support.searched import DEC, FIRST, RA
from tests.support.visits import TOPIC, camera_rows, pointing


@pytest.fixture
def hub(store: Store, tmp_path: Path) -> Hub:
    fill(store)
    hub = Hub(store, tmp_path / "archive")
    hub.full(-40)
    return hub


def cut(hub: Hub, day: float, part: float = 0.25) -> None:
    """Let a visit come of whose messages most are lost."""
    own = {"per_detector": 20.0, "visit": 2017081799901, "mid_tai_us": FIRST.plus_s(day * DAY_S).tai_us}
    rows = camera_rows(np.random.default_rng(5), pointing(RA, DEC), topic=TOPIC, offset=hub.offset, **own)
    n = int(rows.num_rows * part)
    kept = rows.take(pa.array(np.sort(np.random.default_rng(1).permutation(rows.num_rows)[:n])))
    hub.rows(kept.set_column(kept.schema.get_field_index("offset"), "offset", pa.array(np.arange(n) + hub.offset)))
    lost = rows.num_rows - n
    facts = {"topic": TOPIC, "partition": 0, "first_offset": hub.offset, "end_offset": hub.offset + lost, "n_messages": lost}
    with hub.store.transaction() as session:
        gap = Incident(kind="gap", subject=f"0/{hub.offset}", text="some were lost", facts=facts)
        incidents.record(session, hub.source, gap, FIRST.plus_s(day * DAY_S))
    hub.offset += lost


def onset(hub: Hub, day: float, visits: SureVisits | None = None, days: float = 30.0) -> tuple[float | None, Basis]:
    """Return when the last visit was before an object was seen first, days, and what is known of the time before."""
    seen = FirstSeen(
        survey="LSST",
        time_us=np.array([FIRST.plus_s(day * DAY_S).tai_us]),
        flux_njy=np.array([1000.0]),
        band=np.array([b"r"]),
        ra_deg=np.array([RA]),
        dec_deg=np.array([DEC]),
        quiet_us=np.array([NO_TIME]),
        template_us=np.array([NO_TIME]),
    )
    found = Onsets.of(seen, (visits or SureVisits(hub.store, hub.folder)).before(seen, days), days)
    after = int(found.after_us[0])
    return None if after == NO_TIME else round((after - FIRST.tai_us) / 86_400e6, 3), Basis(int(found.basis[0]))


def test_a_visit_that_lost_alerts_is_no_look(hub: Hub) -> None:
    for day in (-1.1, -1, 0):
        hub.visit(day)
    cut(hub, 0.05)
    hub.visit(0.15)
    hub.visit(1)
    hub.update()
    assert onset(hub, 0.15) == (-1.0, Basis.VISIT)  # all of the night is in doubt


def test_a_gap_that_is_noticed_later_takes_an_answer_back(hub: Hub) -> None:
    for day in (0, 0.05, 0.1, 1):
        hub.visit(day)
    hub.update()
    visits = SureVisits(hub.store, hub.folder)
    assert onset(hub, 0.1, visits) == (0.05, Basis.VISIT)
    facts = {"topic": TOPIC, "partition": None, "n_messages": None}
    with hub.store.transaction() as session:
        gap = Incident(kind="gap", subject="later", text="some were lost", facts=facts)
        incidents.record(session, hub.source, gap, FIRST.plus_s(0.5 * DAY_S))
    assert onset(hub, 0.1, visits) == (None, Basis.COVERAGE_UNKNOWN)


def test_rows_that_come_late_to_a_night_with_a_ledger_take_an_answer_back_after_a_while(hub: Hub) -> None:
    for day in (0, 0.05, 0.1, 1):
        hub.visit(day)
    hub.update()
    now = [0.0]
    visits = SureVisits(hub.store, hub.folder, clock=lambda: now[0])
    assert onset(hub, 0.1, visits) == (0.05, Basis.VISIT)
    hub.visit(0.07)  # in no ledger yet
    assert onset(hub, 0.1, visits) == (0.05, Basis.VISIT)
    now[0] = KEPT_S
    assert onset(hub, 0.1, visits) == onset(hub, 0.1) == (None, Basis.COVERAGE_UNKNOWN)


def test_what_is_remembered_is_what_others_find(hub: Hub) -> None:
    visits = SureVisits(hub.store, hub.folder)
    for days in ((-3, -2.9), (-2, -1.9), (0, 0.05, 0.1), (1,)):
        for day in days:
            hub.visit(day)
        hub.update()
        for day in (-2.9, -1.9, 0.1, 1):
            assert onset(hub, day, visits) == onset(hub, day)


def test_one_night_of_a_month_tells_nothing_of_the_month(store: Store, tmp_path: Path) -> None:
    fill(store)
    hub = Hub(store, tmp_path / "archive")
    hub.full(0)
    for day in (0, 0.02, 1):
        hub.visit(day)
    hub.update(5)
    assert onset(hub, 0.001) == (None, Basis.COVERAGE_UNKNOWN)


@pytest.mark.parametrize(("more", "expected"), [({"band": "g"}, Basis.AGE_UNKNOWN), ({"band": ""}, Basis.COVERAGE_UNKNOWN)])
def test_an_age_is_unknown_where_all_was_heard_and_every_visit_says_its_band(
    hub: Hub, more: dict[str, str], expected: Basis
) -> None:
    for day in (-3.0, -2.9):
        own = {"visit": 2017081799910 + int(-10 * day), "mid_tai_us": FIRST.plus_s(day * DAY_S).tai_us}
        hub.rows(
            camera_rows(
                np.random.default_rng(own["visit"]),
                pointing(RA, DEC),
                per_detector=8.0,
                topic=TOPIC,
                offset=hub.offset,
                **own,
                **more,
            )
        )
    for day in (0.02, 1):
        hub.visit(day)
    hub.update(5)
    assert onset(hub, 0.01, days=20.0) == (None, expected)


def test_without_a_full_stream_nothing_is_known(store: Store, tmp_path: Path) -> None:
    hub = Hub(store, tmp_path / "archive")
    hub.full(-40)
    for day in (0, 0.05, 0.1, 1):
        hub.visit(day)
    hub.update()
    assert onset(hub, 0.1) == (0.05, Basis.VISIT)
    hub.filtered(-1, TOPIC)  # a filter brings the same topic: it is none of a full stream any more
    assert onset(hub, 0.1) == (None, Basis.COVERAGE_UNKNOWN)


def test_the_books_are_asked_while_others_are_being_written(hub: Hub) -> None:
    for day in (0, 0.05, 0.1, 1):
        hub.visit(day)
    hub.update()
    with hub.store.transaction() as session:
        positions.advance(session, "another", [Position(topic="x", partition=0, first_offset=0, next_offset=1, n_messages=1)])
        assert onset(hub, 0.1) == (0.05, Basis.VISIT)
