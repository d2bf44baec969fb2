from hub.model.coincidence import Score
from hub.storage import worths
from hub.storage.engine import Store
from hub.storage.worths import Worth
from tests.support.words import T0

ONE = ("S1", "LSST", "1", "kilonova")
TWO = ("S1", "ZTF", "1", "kilonova")
OTHER = ("S2", "LSST", "2", "afterglow")


def worth(value: float | None, version: int = 1) -> Worth:
    inputs = {"reason": "none"} if value is None else {"n_off": 1}
    return Worth(
        version=version, computed_at=T0, scores=(Score(statistic="mu", version=1, value=value, unit="1", inputs=inputs),)
    )


def test_what_is_written_is_read_and_written_over(store: Store) -> None:
    with store.transaction() as session:
        worths.save_all(session, {ONE: worth(0.5), TWO: worth(None), OTHER: worth(2.0)})
        worths.save_all(session, {ONE: worth(0.25, 2)})
    with store.reading() as session:
        assert worths.of_event(session, "S1") == {ONE: worth(0.25, 2), TWO: worth(None)}
        assert worths.of_objects(session, ["S1", "S2"], ["2"]) == {OTHER: worth(2.0)}
        assert worths.of_objects(session, ["S1"], []) == {}


def test_what_is_no_candidate_any_more_is_forgotten(store: Store) -> None:
    with store.transaction() as session:
        worths.save_all(session, {ONE: worth(0.5), TWO: worth(None)})
        worths.forget(session, [ONE])
    with store.reading() as session:
        assert worths.of_event(session, "S1") == {TWO: worth(None)}
