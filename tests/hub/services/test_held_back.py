"""What the budget keeps in the hub, and takes back."""

from hub.model.coincidence import PairState
from hub.model.notice import Stage
from hub.science.budget import HELD_BACK
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.words import T0, gaussian_map, grb, localization, notice

HERE = localization(gaussian_map(130.0, 20.0, 6.0))
NEAR = localization(gaussian_map(134.0, 21.0, 5.0))


def update(far_hz: float, issued: float = 3000.0):
    return notice(issued_at=T0.plus_s(issued), stage=Stage.UPDATE, sequence=2, far_hz=far_hz)


def test_a_pair_over_its_share_is_stored_and_does_not_leave(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(far_hz=1e-2), HERE)
    desk.tell(grb(), NEAR)
    (pair,) = desk.pairs()
    assert (pair.state, pair.held_back) == (PairState.OPEN, True)
    assert pair.reasons[0].startswith(HELD_BACK + "noise alone")
    assert desk.sent() == []


def test_a_far_ten_thousand_times_higher_takes_back_what_had_left_and_a_lower_one_lets_it_out_again(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(far_hz=1e-6), HERE)
    desk.tell(grb(), NEAR)
    assert desk.words() == ["v1"]
    desk.tell(update(1e-2), HERE)
    assert desk.words()[1:] == ["v2 retraction v1"]
    assert HELD_BACK in desk.sent()[-1].payload.decode()
    assert desk.pairs()[0].state is PairState.OPEN
    desk.tell(update(1e-9, issued=4000.0), HERE)
    assert desk.words()[2:] == ["v3 supersedes v2"]
    assert not desk.pairs()[0].held_back
