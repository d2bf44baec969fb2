"""The state machine: every pair of states is either known or refused."""

import itertools
import re
from pathlib import Path

import pytest

from hub.model.followup import TERMINAL_STATES, RequestState, Submission, Transition
from hub.services.submission import (
    ALIVE_STATES,
    ENDED_STATES,
    NEXT_STATES,
    WAITING_STATES,
    IllegalTransition,
    Outcome,
    next_transition,
)
from tests.adapters.networks.test_simulated import intent
from tests.support.followup import NOW


def submission(state):
    step = Transition(intent_id=intent().intent_id, network="simulated", number=1, state=state, at=NOW)
    return Submission(intent=intent(), transitions=(step,))


@pytest.mark.parametrize(("present", "following"), list(itertools.product(RequestState, RequestState)))
def test_a_step_is_legal_exactly_where_the_table_says(present, following):
    if following in NEXT_STATES[present]:
        step = next_transition(submission(present), Outcome(following), NOW)
        assert (step.number, step.state) == (2, following)
    else:
        with pytest.raises(IllegalTransition, match=f"{present} cannot become {following}"):
            next_transition(submission(present), Outcome(following), NOW)


def test_every_state_has_a_row_and_only_rejection_is_for_ever():
    assert set(NEXT_STATES) == set(RequestState)
    assert [state for state, following in NEXT_STATES.items() if not following] == [RequestState.REJECTED]
    assert ENDED_STATES | {RequestState.CANCEL_REFUSED} == TERMINAL_STATES


def test_a_submission_begins_as_a_draft_and_never_returns_there():
    empty = Submission(intent=intent(), transitions=())
    assert next_transition(empty, Outcome(RequestState.DRAFT), NOW).number == 1
    with pytest.raises(IllegalTransition, match="begins as a draft"):
        next_transition(empty, Outcome(RequestState.APPROVED), NOW)
    assert not any(RequestState.DRAFT in following for following in NEXT_STATES.values())


def test_sending_can_only_follow_approval():
    assert [state for state, following in NEXT_STATES.items() if RequestState.SENDING in following] == [RequestState.APPROVED]


def test_what_has_been_sent_is_approved_again_only_from_sending_or_unknown():
    sent = set(RequestState) - WAITING_STATES
    assert {state for state in sent if RequestState.APPROVED in NEXT_STATES[state]} == {
        RequestState.SENDING,
        RequestState.UNKNOWN,
    }


def test_whatever_a_network_may_have_can_be_cancelled():
    for state in ALIVE_STATES | {RequestState.SENDING, RequestState.UNKNOWN}:
        assert RequestState.CANCEL_REQUESTED in NEXT_STATES[state]


def test_the_reference_shows_the_table():
    page = (Path(__file__).parents[3] / "docs" / "reference" / "followup.md").read_text()
    rows = dict(re.findall(r"^\| (\w+) \| ([\w, ]+) \|$", page, re.MULTILINE))
    del rows["state"]
    assert rows == {
        state.value: ", ".join(sorted(one.value for one in after)) or "nothing" for state, after in NEXT_STATES.items()
    }
