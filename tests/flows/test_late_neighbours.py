"""Alerts of what lies close to a candidate, of another survey or under another id, count for it whenever they come."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hub.bootstrap import open_hub
from hub.model.coincidence import Candidate, PairState
from hub.ports import SkymapReader
from hub.services.state import final_state
from hub.storage import candidates
from hub.storage.engine import Store
from tests.support import small_world as world
from tests.support import ztf_packets
from tests.support.flow_checks import check_books, check_what_left
from tests.support.postgres import open_new

EVENT = "S260301b"
ARCSEC = 1.0 / 3600.0
PROCESSED = world.T0.mjd_tai + 3.0
OF_LSST = 313_000_000_000_000_000
MERGER = world.Sent(name="merger", payload=world.merger(EVENT, "PRELIMINARY", 180, world.FIRST_PLACE), topic="igwn.gwalert")
UPDATE = world.Sent(name="update", payload=world.merger(EVENT, "UPDATE", 9000, world.SECOND_PLACE), topic="igwn.gwalert")

KNOWN_TO_ZTF, CREATED_ANEW, SEEN_FIRST, ALONE, TAKEN_BACK = range(5)
PLACES = {
    KNOWN_TO_ZTF: (154.0, -20.3),
    CREATED_ANEW: (153.0, -20.0),
    SEEN_FIRST: (152.5, -20.8),
    ALONE: (155.0, -21.0),
    TAKEN_BACK: (152.0, -19.2),
}
"""Where each object of LSST lies that is new after the merger."""


def lsst(name: str, source: int, number: int, days: float, *, at: int, north: float = 0.0, **changes: Any) -> world.Sent:
    """Return an alert of LSST, so many arcseconds north of a place; the object's id is a number, or none."""
    ra, dec = PLACES[at]
    values = {"ra": ra, "dec": dec + north * ARCSEC, "diaObjectId": OF_LSST + number} | changes
    return world.Sent(name=name, payload=world.packet(source, 101, days, 9000.0 / (1.0 + max(days, 0.0)), **values))


def ztf(name: str, source: int, days: float, *, at: int, north: float, object_id: str) -> world.Sent:
    """Return an alert of ZTF, so many arcseconds north of a place."""
    ra, dec = PLACES[at]
    jd = 2_400_000.5 + world.T0.plus_s(days * world.DAY_S).mjd_tai - 37.0 / world.DAY_S
    record = ztf_packets.record(2_500_000_000_000_000 + source, jd=jd, ra=ra, dec=dec + north * ARCSEC, magpsf=18.5)
    return world.Sent(name=name, payload=ztf_packets.container([record | {"objectId": object_id}]))


NEW = tuple(
    lsst(f"new {at} night {night}", 10 * at + night, 500 + at, 0.4 + at / 20.0 + night, at=at, north=0.1 * night)
    for at in PLACES
    for night in range(2)
)
"""Objects of LSST that begin after the merger, each seen in two nights."""

OLD = (
    ztf("ZTF saw it before", 1, -50.0, at=KNOWN_TO_ZTF, north=0.8, object_id="ZTF25aaaaaaa"),
    lsst("LSST saw it before under another id", 801, 901, -40.0, at=CREATED_ANEW, north=-0.7),
    ztf("ZTF sees it first", 2, 0.1, at=SEEN_FIRST, north=1.1, object_id="ZTF26bbbbbbb"),
    ztf("something else is near", 3, -30.0, at=ALONE, north=2.6, object_id="ZTF25ccccccc"),
    lsst("LSST saw something before", 802, 902, -45.0, at=TAKEN_BACK, north=0.3),
)
"""What lies close to them: none of it is a candidate by itself, but for that which ZTF sees first."""

AGAIN = (
    lsst(
        "that was a body",
        802,
        902,
        -45.0,
        at=TAKEN_BACK,
        north=0.3,
        diaObjectId=None,
        ssObjectId=78,
        timeProcessedMjdTai=PROCESSED,
    ),
)
"""What comes again under the same source ids."""

MESSAGES = (MERGER, UPDATE, *NEW, *OLD, *AGAIN)


@dataclass(frozen=True, kw_only=True)
class Final:
    """What must not depend on the order."""

    state: dict[str, Any]
    candidates: list[Candidate]


def final_after(
    store: Store, folder: Path, skymaps: SkymapReader, order: Sequence[world.Sent], cuts: Sequence[int] = ()
) -> Final:
    """Deliver messages in batches, check everything that must hold, and return the final state."""
    with open_hub(world.settings_in(folder), store, clock=world.Ticking(), skymaps=skymaps) as hub:
        world.deliver(hub, order, cuts)
        check_books(hub, len(order))
        check_what_left(hub)
        with store.reading() as session:
            found = candidates.search(session, limit=None)
            return Final(state=final_state(session), candidates=sorted(found, key=lambda one: (one.object_id, one.hypothesis)))


def one_by_one(order: Sequence[world.Sent]) -> range:
    return range(len(order))


@pytest.fixture(scope="module")
def expected(skymaps: SkymapReader, made: Path, tmp_path_factory: pytest.TempPathFactory) -> Final:
    """What there is after the order in which things would happen: by their times, what is known better at the end."""
    folder = tmp_path_factory.mktemp("expected")
    order = (*OLD[:2], *OLD[3:], MERGER, UPDATE, OLD[2], *NEW, *AGAIN)
    with world.fresh_sqlite(folder, made) as store:
        return final_after(store, folder, skymaps, order, one_by_one(order))


def kilonovae(final: Final) -> dict[int, Candidate]:
    """Return the new objects of LSST as kilonovae, by place."""
    return {
        int(one.object_id) - OF_LSST - 500: one
        for one in final.candidates
        if one.survey == "LSST" and one.event_id == EVENT and one.hypothesis == "kilonova"
    }


def test_what_lies_close_tells_of_the_time_before(expected: Final) -> None:
    found = kilonovae(expected)
    assert found.keys() == set(PLACES)
    assert {at: "prior activity" in one.flags for at, one in found.items()} == {
        KNOWN_TO_ZTF: True,
        CREATED_ANEW: True,
        SEEN_FIRST: False,
        ALONE: False,
        TAKEN_BACK: False,
    }
    assert {at for at, one in found.items() if "re-created object" in one.flags} == {CREATED_ANEW}
    assert {at for at, one in found.items() if one.state is PairState.OPEN} == {SEEN_FIRST, ALONE, TAKEN_BACK}
    assert abs(found[SEEN_FIRST].first_detection.minus(world.T0) - 0.1 * world.DAY_S) < 60.0


@pytest.mark.parametrize(
    "late",
    [
        (OLD[0],),
        (OLD[1],),
        (OLD[2],),
        (OLD[4],),
        AGAIN,
        OLD,
        (MERGER, UPDATE),
        (UPDATE,),
        NEW[:2],
    ],
    ids=lambda late: " and ".join(one.name for one in late)[:40],
)
def test_what_comes_last_ends_in_the_same_state(
    late: Sequence[world.Sent], expected: Final, skymaps: SkymapReader, made: Path, tmp_path: Path
) -> None:
    order = [one for one in MESSAGES if one not in late] + list(late)
    with world.fresh_sqlite(tmp_path, made) as store:
        assert final_after(store, tmp_path, skymaps, order, one_by_one(order)) == expected


@pytest.mark.parametrize("seed", range(5))
def test_no_order_and_no_batch_matters(seed: int, expected: Final, skymaps: SkymapReader, made: Path, tmp_path: Path) -> None:
    random = Random(seed)
    order = random.sample(MESSAGES, len(MESSAGES))
    cuts = random.sample(range(1, len(MESSAGES)), random.choice((0, 3, 9)))
    with world.fresh_sqlite(tmp_path, made) as store:
        assert final_after(store, tmp_path, skymaps, order, cuts) == expected


@pytest.mark.postgres
@pytest.mark.parametrize("seed", [21])
def test_postgresql_ends_in_the_state_of_sqlite(
    seed: int, expected: Final, skymaps: SkymapReader, postgres: str, tmp_path: Path
) -> None:
    store = open_new(postgres)
    order = [*NEW, MERGER, UPDATE, *Random(seed).sample(OLD, len(OLD)), *AGAIN]
    assert final_after(store, tmp_path, skymaps, order, one_by_one(order)) == expected
    store.close()


def test_an_alert_close_to_a_candidate_writes_no_other(skymaps: SkymapReader, made: Path, tmp_path: Path) -> None:
    """Only what lies close is evaluated, and only that of which something new is said is written."""
    with (
        world.fresh_sqlite(tmp_path, made) as store,
        open_hub(world.settings_in(tmp_path), store, clock=world.Ticking(), skymaps=skymaps) as hub,
    ):
        world.deliver(hub, (MERGER, *NEW))
        hypotheses = len({one.hypothesis for one in all_candidates(store)})
        far, near = hub.flow.take([OLD[3].envelope]), hub.flow.take([OLD[0].envelope])
        assert far.correlation.candidates == 0
        assert 1 <= near.correlation.candidates <= hypotheses
        assert hub.flow.take([OLD[0].envelope]).correlation.candidates == 0


def all_candidates(store: Store) -> list[Candidate]:
    with store.reading() as session:
        return candidates.search(session, limit=None)
