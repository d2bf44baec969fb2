"""Alerts that come again with other contents: the same rows and candidates in every order, and what lost its detections is withdrawn."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from hub.archive import compaction
from hub.archive.history import ArchiveHistory
from hub.bootstrap import Hub, open_hub
from hub.errors import StorageError
from hub.model.coincidence import PairState
from hub.model.instant import Instant
from hub.ports import SkymapReader
from hub.services.judging import REATTRIBUTED
from hub.services.state import final_state
from hub.storage import candidates, coincidences, packets
from hub.storage.engine import Store
from tests.contracts.alert_history import rows
from tests.support import small_world as world
from tests.support.flow_checks import check_books, check_what_left
from tests.support.postgres import open_new

LATER = world.T0.plus_s(40 * world.DAY_S)
WHOLE = np.array([0]), np.array([12 * 4**29]), Instant(0), Instant(2**62)
EVENT = "S260301b"
NEW = 313_000_000_000_000_999
PROCESSED = world.T0.mjd_tai + 3.0


def sent(name: str, number: int, object_id: int, days: float, flux: float, **changes: Any) -> world.Sent:
    """Return an alert about a detection in one of its versions."""
    return world.Sent(name=name, payload=world.packet(number, object_id, days, flux, **changes))


MERGER = world.Sent(name="merger", payload=world.merger(EVENT, "PRELIMINARY", 180, world.FIRST_PLACE), topic="igwn.gwalert")
FIRST = (
    sent("fading 1", 1, 101, 0.4, 9000.0),
    sent("fading 2", 2, 101, 0.9, 6000.0),
    sent("fading 3", 3, 101, 1.4, 4000.0),
    sent("asteroid 1", 4, 103, 0.6, 9000.0, ra=153.0, dec=-21.5),
    sent("asteroid 2", 5, 103, 1.6, 3500.0, ra=153.0, dec=-21.5),
    sent("single", 6, 108, 1.1, 5000.0),
    sent("old object", 7, 102, 0.5, 8000.0),
    sent("old object 2", 8, 102, 1.5, 4000.0),
)
"""What comes first, by the clock."""

AGAIN = (
    sent("fading 2 is a body", 2, 101, 0.9, 6000.0, ssObjectId=77),
    sent("asteroid 1 is a body", 4, 103, 0.6, 9000.0, ra=153.0, dec=-21.5, diaObjectId=None, ssObjectId=78),
    sent("asteroid 2 is a body", 5, 103, 1.6, 3500.0, ra=153.0, dec=-21.5, diaObjectId=None, ssObjectId=78),
    sent("single is withdrawn", 6, 108, 1.1, 5000.0, timeWithdrawnMjdTai=PROCESSED),
    sent("object was created anew", 7, 102, 0.5, 8000.0, diaObjectId=NEW, timeProcessedMjdTai=PROCESSED),
    sent("object was created anew 2", 8, 102, 1.5, 4000.0, diaObjectId=NEW, timeProcessedMjdTai=PROCESSED),
    sent("processed anew", 3, 101, 1.4, 3900.0, timeProcessedMjdTai=PROCESSED),
    sent("fading 1 as it was", 1, 101, 0.4, 9000.0),
)
"""What comes again under the same source ids."""

MESSAGES = (MERGER, *FIRST, *AGAIN)


def deliver(hub: Hub, order: Sequence[world.Sent], cuts: Sequence[int], compacted_after: Sequence[int]) -> None:
    """Bring messages in batches; the archive is merged after each, and compacted after some."""
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(order)}), len(order)]
    for number, (start, stop) in enumerate(itertools.pairwise(edges)):
        hub.flow.take([one.envelope for one in order[start:stop]])
        hub.history.tidy(LATER)
        if number in compacted_after:
            compact(hub)
    while hub.flow.step():
        pass


def compact(hub: Hub) -> None:
    for night in hub.history.nights():
        compaction.compact(hub.history.folder, night)


def final_after(
    store: Store,
    folder: Path,
    skymaps: SkymapReader,
    order: Sequence[world.Sent],
    cuts: Sequence[int] = (),
    compacted_after: Sequence[int] = (),
) -> dict[str, Any]:
    """Return the final state, the rows of the archive before and after a last compaction, and the pairs that stand."""
    with open_hub(world.settings_in(folder), store, clock=world.Ticking(), skymaps=skymaps) as hub:
        deliver(hub, order, cuts, compacted_after)
        check_books(hub, len(order))
        check_what_left(hub)
        with store.reading() as session:
            state = final_state(session)
        found = [rows(batch) for batch in hub.history.in_region(*WHOLE)]
        compact(hub)
        assert [rows(batch) for batch in ArchiveHistory(hub.history.folder).in_region(*WHOLE)] == found
        return {"state": state, "rows": found}


@pytest.fixture(scope="module")
def expected(skymaps: SkymapReader, made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What there is after the order in which things would happen, one by one."""
    folder = tmp_path_factory.mktemp("expected")
    with world.fresh_sqlite(folder, made) as store:
        return final_after(store, folder, skymaps, MESSAGES, range(len(MESSAGES)))


def test_the_versions_that_hold_are_those_that_the_survey_means(expected: dict[str, Any]) -> None:
    by_object = {key.split("|")[2][-3:]: one for key, one in expected["state"]["candidates"].items() if "kilonova" in key}
    assert {name: (one["state"], one["n_detections"]) for name, one in by_object.items()} == {
        "101": ("withdrawn", 2),  # one of its detections is a body: no kilonova
        "999": ("open", 2),
    }
    assert len(expected["rows"][0]) == len(FIRST)


@pytest.mark.parametrize("seed", range(5))
def test_no_order_no_batch_and_no_compaction_in_between_matters(
    seed: int, expected: dict[str, Any], skymaps: SkymapReader, made: Path, tmp_path: Path
) -> None:
    random = Random(seed)
    order = [*AGAIN, *FIRST, MERGER] if seed == 0 else random.sample(MESSAGES, len(MESSAGES))
    cuts = random.sample(range(1, len(MESSAGES)), random.choice((0, 4, 10)))
    compacted = random.sample(range(len(MESSAGES)), random.choice((0, 3, 9)))
    with world.fresh_sqlite(tmp_path, made) as store:
        assert final_after(store, tmp_path, skymaps, order, cuts, compacted) == expected


@pytest.mark.postgres
def test_postgresql_ends_in_the_state_of_sqlite(
    expected: dict[str, Any], skymaps: SkymapReader, postgres: str, tmp_path: Path
) -> None:
    store = open_new(postgres)
    order = Random(7).sample(MESSAGES, len(MESSAGES))
    assert final_after(store, tmp_path, skymaps, order, [3, 6, 9, 12], [1]) == expected
    store.close()


def test_a_candidate_that_turns_out_to_be_a_body_is_withdrawn_and_taken_back(
    skymaps: SkymapReader, made: Path, tmp_path: Path
) -> None:
    with (
        world.fresh_sqlite(tmp_path, made) as store,
        open_hub(world.settings_in(tmp_path), store, clock=world.Ticking(), skymaps=skymaps) as hub,
    ):
        world.deliver(hub, (MERGER, *FIRST), range(20))

        def pair() -> Any:
            with store.reading() as session:
                return next(one for one in coincidences.of_event(session, EVENT) if one.members[-1].id.endswith("103"))

        assert pair().state is PairState.OPEN
        bodies = [one for one in AGAIN if one.name.startswith("asteroid")]
        world.deliver(hub, bodies)
        check_what_left(hub)  # the newest message about each pair says what is so: this one is retracted
        assert (pair().state, pair().reasons[0]) == (PairState.WITHDRAWN, REATTRIBUTED)
        with store.reading() as session:
            left = candidates.search(session, event_id=EVENT, survey="LSST", object_id="313000000000000103", limit=None)
            kept = packets.get(session, "LSST", 170_000_000_000_000_004)
        assert {(one.state, one.reasons[0]) for one in left} == {(PairState.WITHDRAWN, REATTRIBUTED)}
        assert kept == FIRST[3].payload
        world.deliver(hub, [FIRST[3], *bodies])  # they come again
        world.deliver(
            hub,
            [world.Sent(name="update", payload=world.merger(EVENT, "UPDATE", 9000, world.SECOND_PLACE), topic="igwn.gwalert")],
        )
        assert (pair().state, pair().reasons[0]) == (PairState.WITHDRAWN, REATTRIBUTED)


def test_a_crash_before_matching_forgets_no_candidate(skymaps: SkymapReader, made: Path, tmp_path: Path) -> None:
    bodies = [one for one in AGAIN if one.name.startswith("asteroid")]
    with world.fresh_sqlite(tmp_path, made) as store:
        settings = world.settings_in(tmp_path)
        with open_hub(settings, store, clock=world.Ticking(), skymaps=skymaps) as hub:
            world.deliver(hub, (MERGER, *FIRST), range(20))
        with open_hub(settings, store, clock=world.Ticking(), skymaps=skymaps) as hub:
            for one in hub.flow._intake.accept(
                [body.envelope for body in bodies]
            ).alerts:  # archived and booked, and then it dies
                assert one.n_new == 2
            hub.history.tidy(LATER)
        with open_hub(settings, store, clock=world.Ticking(), skymaps=skymaps) as hub:
            world.deliver(hub, bodies)
            with store.reading() as session:
                left = candidates.search(session, event_id=EVENT, survey="LSST", object_id="313000000000000103", limit=None)
        assert {one.state for one in left} == {PairState.WITHDRAWN}


def test_a_second_hub_does_not_append_to_the_archive_of_the_first(skymaps: SkymapReader, made: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, is_refused in ((first, False), (second, True)):
        folder.mkdir()
        plain = world.settings_in(folder)
        settings = plain.model_copy(update={"archive": plain.archive.model_copy(update={"folder": str(archive)})})
        with (
            world.fresh_sqlite(folder, made) as store,
            open_hub(settings, store, clock=world.Ticking(), skymaps=skymaps) as hub,
        ):
            if is_refused:
                with pytest.raises(StorageError, match="belongs to the database of another hub"):
                    hub.flow.take([one.envelope for one in FIRST])
            else:
                hub.flow.take([one.envelope for one in FIRST[:3]])
    (found,) = ArchiveHistory(archive).in_region(*WHOLE)
    assert len(found) == 3
