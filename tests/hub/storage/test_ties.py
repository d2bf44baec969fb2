"""Which objects coincidences were written of, on both engines."""

import dataclasses

from hub.model.coincidence import PairState
from hub.storage import coincidences, ties
from hub.storage.engine import Store
from tests.support.followup import NOW, make_coincidence


def test_an_object_is_told_of_whatever_became_of_its_coincidence(store: Store) -> None:
    first, other = make_coincidence("S1", "1"), make_coincidence("S1", "2")
    gone = dataclasses.replace(other, version=2, state=PairState.WITHDRAWN, created_at=NOW.plus_s(5))
    with store.transaction() as session:
        for one in (first, other, gone):
            coincidences.add(session, one)
    names = {member.id for one in (first, other) for member in one.members if member.id != "S1"}
    assert len(names) == 2
    with store.reading() as session:
        assert ties.told_of(session, [*names, "LSST:3", "S1", *(f"LSST:many-{n}" for n in range(2_000))]) == names
        assert ties.told_of(session, []) == set()
