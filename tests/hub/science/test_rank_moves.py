"""Who rose and fell, and by which term: against candidates whose shares are written down here."""

from dataclasses import replace

from hub.model.coincidence import PairState, Score
from hub.science.rank_moves import moves, ranked
from hub.science.ranking import Ranking
from tests.support.followup import make_candidate


def candidate(object_id, *, state=PairState.OPEN, confirmed=True, level=0.3, **terms):
    """Return a candidate whose score is the sum of its terms."""
    made = make_candidate("S1", object_id, score=sum(terms.values()))
    scores = tuple(Score(statistic=name, version=1, value=value, unit="1") for name, value in terms.items())
    shown = Score(statistic="level_3d", version=1, value=0.5, unit="1")
    reasons = tuple(f"{name} {value:+.2f}: because" for name, value in terms.items())
    return replace(
        made, state=state, confirmed=confirmed, level=level, scores=(*scores, shown), reasons=(*reasons, "fading: silent")
    )


def test_the_term_that_changed_most_is_named_with_what_it_counted():
    before = [candidate("1", sky=2.0, timing=1.0), candidate("2", sky=1.0, timing=1.5)]
    after = [candidate("1", sky=2.1, timing=-1.0), candidate("2", sky=1.2, timing=1.5)]
    second, first = sorted(moves(before, after), key=lambda one: one.object_id)
    assert (second.object_id, second.rank_before, second.rank_after, second.term) == ("1", 1, 2, "timing")
    assert (second.term_before, second.term_after) == (1.0, -1.0)
    assert second.reason == "timing +1.00 to -1.00"
    assert (first.object_id, first.rank_before, first.rank_after, first.term) == ("2", 2, 1, "sky")


def test_a_term_that_fell_silent_counts_as_nothing_and_weights_count():
    before, after = [candidate("1", sky=1.0, activity=0.5)], [candidate("1", sky=1.2)]
    (one,) = moves(before, after)
    assert (one.term, one.term_before, one.term_after) == ("activity", 0.5, None)
    assert one.reason == "activity +0.50 to silent"
    (weighted,) = moves(before, after, ranking=Ranking(weights={"activity": 0.0}))
    assert weighted.term == "sky"


def test_one_that_only_others_passed_says_so():
    before, after = [candidate("1", sky=1.0), candidate("2", sky=0.5)], [candidate("1", sky=1.0), candidate("2", sky=2.0)]
    passed = next(one for one in moves(before, after) if one.object_id == "1")
    assert (passed.rank_before, passed.rank_after, passed.term) == (1, 2, None)
    assert passed.reason == "its score did not change; others passed it or left"


def test_what_came_and_what_left_say_why_they_were_not_there():
    before = [candidate("1", sky=1.0), candidate("2", sky=0.5, state=PairState.WITHDRAWN, level=0.99)]
    after = [candidate("2", sky=2.0), candidate("3", sky=1.0)]
    by_name = {one.object_id: one for one in moves(before, after)}
    assert by_name["1"].rank_after is None
    assert by_name["1"].reason == "not in the ranking any more (now: no candidate)"
    assert by_name["2"].reason.startswith("new in the ranking (before: withdrawn, at level 0.99); sky")
    assert (by_name["3"].score_before, by_name["3"].rank_before, by_name["3"].rank_after) == (None, None, 2)


def test_only_the_first_ten_of_either_are_followed_and_what_stayed_is_left_out():
    before = [candidate(str(100 + n), sky=20.0 - n) for n in range(14)]
    assert moves(before, before) == ()
    after = [*before[:9], candidate("113", sky=50.0), *before[9:13]]
    found = moves(before, after)
    assert found[0].object_id == "113"
    assert (found[0].rank_before, found[0].rank_after) == (14, 1)
    assert {one.object_id for one in found} == {"113", *(str(100 + n) for n in range(10))}  # the tenth is the eleventh now


def test_confirmed_ones_come_first_whatever_their_scores():
    lone = candidate("1", sky=9.0, confirmed=False)
    assert [one.object_id for one in ranked([lone, candidate("2", sky=1.0)])] == ["2", "1"]
    (first, _) = moves([candidate("2", sky=1.0), lone], [candidate("2", sky=1.0), replace(lone, confirmed=True)])
    assert first.reason == "confirmed now; its score did not change"
