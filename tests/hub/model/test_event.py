import itertools

from hub.model.event import EventState, assemble
from hub.model.notice import Role, Stage
from tests.support.words import T0, notice, stored


def sequence():
    return [
        stored(notice(stage=Stage.PRELIMINARY, issued_at=T0.plus_s(60), far_hz=1e-6), "map1"),
        stored(notice(stage=Stage.INITIAL, issued_at=T0.plus_s(600), far_hz=None), "map2"),
        stored(notice(stage=Stage.UPDATE, issued_at=T0.plus_s(6000), far_hz=1e-8, aliases=("GW260301",)), None),
    ]


def test_the_order_of_arrival_does_not_matter() -> None:
    events = [assemble("S260301a", order) for order in itertools.permutations(sequence())]
    assert all(event == events[0] for event in events)


def test_the_current_values_are_the_last_that_were_said() -> None:
    event = assemble("S260301a", sequence())
    assert (event.localization_id, event.far_hz, event.aliases) == ("map2", 1e-8, ("GW260301",))
    assert event.localization_ids == ("map1", "map2")
    assert event.is_live


def test_a_retraction_that_arrives_first_still_closes_the_event() -> None:
    retraction = stored(notice(stage=Stage.RETRACTION, issued_at=T0.plus_s(9000), t0=None))
    event = assemble("S260301a", [retraction, *sequence()])
    assert event.state is EventState.RETRACTED
    assert event.t0 == T0
    assert event.localization_id == "map2"


def test_a_notice_issued_after_the_retraction_takes_it_back() -> None:
    retraction = stored(notice(stage=Stage.RETRACTION, issued_at=T0.plus_s(700), t0=None))
    assert assemble("S260301a", [*sequence(), retraction]).state is EventState.ACTIVE


def test_one_test_message_makes_the_event_a_test() -> None:
    event = assemble("S260301a", [*sequence(), stored(notice(role=Role.TEST, is_live=False, issued_at=T0.plus_s(1)))])
    assert event.role is Role.TEST
    assert not event.is_live


def test_an_untrusted_source_makes_an_event_not_live() -> None:
    assert not assemble("S260301a", [stored(notice(), is_trusted=False)]).is_live


def test_nobody_untrusted_can_retract_or_move_a_trusted_event() -> None:
    forged = [
        stored(notice(stage=Stage.RETRACTION, issued_at=T0.plus_s(9000)), is_trusted=False),
        stored(notice(stage=Stage.UPDATE, issued_at=T0.plus_s(9001), far_hz=1.0, is_live=False), "elsewhere", is_trusted=False),
    ]
    event = assemble("S260301a", [*sequence(), *forged])
    alone = assemble("S260301a", sequence())
    assert (event.state, event.localization_id, event.far_hz, event.is_live) == (EventState.ACTIVE, "map2", 1e-8, True)
    assert event.current == alone.current
    assert len(event.versions) == 5


def test_what_does_not_localize_never_becomes_the_localization() -> None:
    slew = stored(notice(stage=Stage.UPDATE, issued_at=T0.plus_s(9000), localizes=False), "slew")
    event = assemble("S260301a", [*sequence(), slew])
    assert event.localization_id == "map2"
    assert "slew" not in event.localization_ids
