"""Updates and retractions run through everything: notices as they come on the wire, versions, and what leaves in the outbox."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hub.bootstrap import open_hub
from hub.model.coincidence import Candidate, PairState
from hub.ports import SkymapReader
from hub.science.budget import HELD_BACK
from hub.storage import announced, events
from tests.support.flow_checks import check_books
from tests.support.small_world import Sent, Ticking, fresh_sqlite, packet, settings_in
from tests.support.stories import FERMI, NEWER, Story, fermi, retracted, superevent


@pytest.fixture
def story(tmp_path: Path, made: Path, skymaps: SkymapReader) -> Iterator[Story]:
    with (
        fresh_sqlite(tmp_path, made) as store,
        open_hub(settings_in(tmp_path), store, clock=Ticking(), skymaps=skymaps) as hub,
    ):
        yield Story(hub)


# ------------------------------------------------------------------------------------------- one superevent replaced by another

OLD, NEW = "S260301b", "S260301c"
REPLACED = {
    "old": superevent(OLD, far=1e-8),
    "burst": fermi(),
    "new": superevent(NEW, issued_s=400.0, t0_s=0.08, far=1e-10, place=NEWER),
    "retraction": retracted(OLD, 900.0),
}
"""What GraceDB does with one signal that got two superevents: the better one stays, the other one is retracted."""


def test_a_burst_moves_over_when_its_superevent_is_replaced_by_another_one(story: Story) -> None:
    story.take(REPLACED["old"], REPLACED["burst"])
    assert story.said() == [f"{FERMI}+{OLD} v1"]
    story.take(REPLACED["new"], REPLACED["retraction"])
    assert story.standing() == {(FERMI, NEW)}
    of_old = [line for line in story.said() if line.startswith(f"{FERMI}+{OLD} ")]
    of_new = [line for line in story.said() if line.startswith(f"{FERMI}+{NEW} ")]
    *_, last = of_old
    assert "retraction" in last
    assert sum("retraction" in line for line in of_old) == 1
    assert of_new
    assert not any("retraction" in line for line in of_new)
    assert story.pairs()[FERMI, OLD].reasons[0] == f"withdrawn: {OLD} retracted"
    story.check()


@pytest.mark.parametrize("order", list(itertools.permutations(REPLACED)), ids="-".join)
def test_exactly_one_announcement_stands_however_the_notices_of_both_superevents_come(story: Story, order: Sequence[str]) -> None:
    for name in order:
        story.take(REPLACED[name])
        assert len(story.standing()) <= 1, f"two stand after {name}"
    assert story.standing() == {(FERMI, NEW)}
    assert {members: one.state for members, one in story.pairs().items()} == {
        (FERMI, OLD): PairState.WITHDRAWN,
        (FERMI, NEW): PairState.OPEN,
    }
    story.check()


def test_a_superevent_whose_preferred_event_moves_keeps_its_pair_and_its_message_is_superseded(story: Story) -> None:
    story.take(superevent(OLD), fermi())
    story.take(superevent(OLD, "UPDATE", issued_s=700.0, t0_s=0.3, far=2e-11, place=NEWER))
    assert story.said() == [f"{FERMI}+{OLD} v1", f"{FERMI}+{OLD} v2, supersedes {FERMI}+{OLD} v1"]
    first, last = story.history(FERMI, OLD)
    assert (first.score("delay"), last.score("delay")) == (pytest.approx(2.0), pytest.approx(1.7))
    assert first.score("overlap") != last.score("overlap")
    assert first.localization_ids != last.localization_ids
    story.check()


# ----------------------------------------------------------------------------------------------------- preferred time moved by 1 s


@pytest.mark.parametrize(
    ("burst_s", "moved_s", "leaves"),
    [(-0.5, 1.0, True), (4.5, -1.0, True), (5.5, 1.0, False), (-1.5, -1.0, False)],
    ids=["leaves early", "leaves late", "enters late", "enters early"],
)
def test_a_time_that_moves_by_a_second_takes_a_burst_out_of_the_window_or_into_it(
    story: Story, burst_s: float, moved_s: float, leaves: bool
) -> None:
    name = f"{FERMI}+{OLD}"
    story.take(superevent(OLD), fermi(burst_s))
    assert story.said() == ([f"{name} v1"] if leaves else [])
    story.take(superevent(OLD, "UPDATE", issued_s=700.0, t0_s=moved_s))
    if leaves:
        assert story.said() == [f"{name} v1", f"{name} v2, retraction {name} v1"]
        assert story.pairs()[FERMI, OLD].state is PairState.WITHDRAWN
        assert story.pairs()[FERMI, OLD].reasons[0] == "withdrawn: the current versions no longer fit"
    else:
        assert story.said() == [f"{name} v1"]
        assert story.pairs()[FERMI, OLD].score("delay") == pytest.approx(burst_s - moved_s)
    story.take(superevent(OLD, "UPDATE", issued_s=1400.0))
    if leaves:
        assert story.said()[2:] == [f"{name} v3, supersedes {name} v2"]
        assert story.standing() == {(FERMI, OLD)}
    else:
        assert story.said()[1:] == [f"{name} v2, retraction {name} v1"]
        assert story.standing() == set()
    story.check()


def test_a_time_that_moves_by_a_second_gives_candidates_their_terms_in_time_anew(story: Story) -> None:
    found = [packet(number, 101, days, flux) for number, (days, flux) in enumerate(((0.4, 9000.0), (1.4, 4000.0)), 1)]
    story.take(superevent(OLD), *(Sent(name="alert", payload=one) for one in found))
    object_id = "313000000000000101"
    before = _slowest_fading(story.kilonova(object_id, OLD))
    story.take(superevent(OLD, "UPDATE", issued_s=700.0, t0_s=1.0))
    moved = _slowest_fading(story.kilonova(object_id, OLD))
    assert moved < before
    assert moved == pytest.approx(before, rel=1e-3)
    first, *_, last = story.history(OLD, f"LSST:{object_id}")
    assert (first.version, last.version) == (1, 2)
    assert story.said()[-1] == f"{OLD}+LSST:{object_id} v2, supersedes {OLD}+LSST:{object_id} v1"
    story.check()


def _slowest_fading(candidate: Candidate) -> float:
    """Return the slowest fading, magnitudes a day, that is expected so long after the event: what is later fades more slowly."""
    (fading,) = (one for one in candidate.scores if one.statistic == "fading")
    return float(fading.inputs["expected"][0])


# -------------------------------------------------------------------------------------------------- false-alarm rate up by 10^4


def test_a_false_alarm_rate_ten_thousand_times_higher_retracts_and_a_lower_one_announces_again(story: Story) -> None:
    name = f"{FERMI}+{OLD}"
    story.take(superevent(OLD, far=1e-6), fermi())
    story.take(superevent(OLD, "UPDATE", issued_s=700.0, far=1e-2))
    held = story.pairs()[FERMI, OLD]
    assert (held.state, held.held_back, held.version) == (PairState.OPEN, True, 2)
    assert held.reasons[0].startswith(HELD_BACK)
    first, second = story.history(FERMI, OLD)
    assert second.score("joint_far") == pytest.approx(1e4 * (first.score("joint_far") or 0.0))
    # What is at least as significant as 1e-2 Hz comes no more rarely than noise alone makes it: more often than what is configured.
    assert (first.score("random_association") or 0.0) > (first.score("joint_far") or 0.0)
    assert second.score("random_association") == second.score("joint_far")
    (unrelated,) = (one for one in second.scores if one.statistic == "random_association")
    assert unrelated.inputs["other_rate_basis"] == "own FAR"
    assert unrelated.inputs["other_rate_hz"] == 1e-2 > float(unrelated.inputs["configured_other_rate_hz"])
    assert story.standing() == set()
    story.take(superevent(OLD, "UPDATE", issued_s=1400.0, far=1e-6))
    assert story.said() == [f"{name} v1", f"{name} v2, retraction {name} v1", f"{name} v3, supersedes {name} v2"]
    assert HELD_BACK in story.payloads()[1]
    assert HELD_BACK not in story.payloads()[2]
    assert story.standing() == {(FERMI, OLD)}
    with story.hub.store.reading() as session:
        (spent,) = announced.standing(session)
    assert spent.version == 1  # what comes back does not spend again
    check_books(story.hub, 4)


# ---------------------------------------------------------------------------------------- a retraction reaches everything


def test_a_retraction_withdraws_pairs_and_candidates_and_each_message_is_retracted_once(story: Story) -> None:
    shown = [packet(number, 101, days, flux) for number, (days, flux) in enumerate(((0.4, 9000.0), (1.4, 4000.0)), 1)]
    story.take(superevent(OLD), fermi(), *(Sent(name="alert", payload=one) for one in shown))
    told = story.standing()
    assert len(told) == 2
    n_before = len(story.said())
    story.take(retracted(OLD), retracted(OLD))
    assert len(story.said()[n_before:]) == 2
    assert all("retraction" in line for line in story.said()[n_before:])
    assert story.standing() == set()
    assert {one.state for one in story.pairs().values()} == {PairState.WITHDRAWN}
    assert story.kilonova("313000000000000101", OLD).state is PairState.WITHDRAWN
    with story.hub.store.reading() as session:
        event = events.get(session, OLD)
    assert event is not None
    assert [version.number for version in event.versions] == [1, 2]  # the same bytes again are a duplicate
    story.check()


def test_a_superevent_that_is_taken_up_again_after_its_retraction_is_announced_again(story: Story) -> None:
    name = f"{FERMI}+{OLD}"
    story.take(superevent(OLD), fermi(), retracted(OLD))
    story.take(superevent(OLD, "UPDATE", issued_s=20_000.0))
    assert story.said() == [f"{name} v1", f"{name} v2, retraction {name} v1", f"{name} v3, supersedes {name} v2"]
    assert story.standing() == {(FERMI, OLD)}
    story.check()


def test_an_update_that_puts_the_merger_elsewhere_retracts_the_pair_and_says_so_with_its_numbers(story: Story) -> None:
    name = f"{FERMI}+{OLD}"
    story.take(superevent(OLD), fermi(), superevent(OLD, "UPDATE", issued_s=700.0, place=(330.0, 60.0, 2.0)))
    assert story.said() == [f"{name} v1", f"{name} v2, retraction {name} v1"]
    here, away = (one.score("overlap") for one in story.history(FERMI, OLD))
    assert here is not None
    assert away is not None
    assert away < 1e-4 < 1.0 < here
    assert "overlap integral" in story.payloads()[1]
    story.check()
