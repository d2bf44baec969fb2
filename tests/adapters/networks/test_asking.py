import pytest

from adapters.http import Answer
from adapters.networks.asking import fault_of, is_number, reasons_of, sent_once, standing
from hub.errors import Permanent, Transient, TransportError
from hub.model.followup import RequestState
from hub.ports import RemoteState


def words_of(said: object) -> list[str]:
    assert isinstance(said, list)
    return said


def answer(status: int, body: bytes = b"{}", **headers: str) -> Answer:
    return Answer(url="https://x.example.org/", status=status, headers=headers, body=body)


def test_only_a_request_of_which_no_byte_left_may_be_sent_again() -> None:
    lost = TransportError("the line broke")
    with (
        pytest.raises(TransportError, match="the line broke; whether x has the request is unknown") as told,
        sent_once("x", "request"),
    ):
        raise lost
    assert not isinstance(told.value, Transient)
    refused = TransportError("nobody listens")
    refused.nothing_was_sent = True
    with pytest.raises(Transient, match="nobody listens; nothing was sent"), sent_once("x", "request"):
        raise refused


def test_a_busy_network_is_asked_again_when_it_wants_to_be() -> None:
    fault = fault_of(answer(429, **{"retry-after": "12"}), "x", [])
    assert isinstance(fault, Transient)
    assert fault.retry_after_s == 12.0
    assert "in 12 s" in str(fault)


@pytest.mark.parametrize(("status", "kind"), [(400, Permanent), (404, Permanent), (500, Transient), (503, Transient)])
def test_a_broken_network_may_be_asked_again_and_one_that_says_no_may_not(status, kind) -> None:
    assert type(fault_of(answer(status), "x", ["no time left"])) is kind


def test_an_answer_without_reasons_still_gives_one() -> None:
    assert reasons_of(answer(400, b"<html>"), "x", words_of) == ["x answered 400"]
    assert reasons_of(answer(400, b"[]"), "x", words_of) == ["x answered 400"]
    assert reasons_of(answer(400, b'["the window is past"]'), "x", words_of) == ["the window is past"]


def test_a_token_that_is_not_accepted_is_told_with_what_the_network_says_of_it() -> None:
    assert reasons_of(answer(401, b"no"), "x", words_of) == ["x does not accept the token (401)"]
    assert reasons_of(answer(403, b'["detail: not yours"]'), "x", words_of) == ["x does not accept the token (403: not yours)"]


@pytest.mark.parametrize(
    ("text", "is_one"), [("17", True), ("", False), ("1e3", False), ("-1", False), ("²", False), ("9" * 19, False)]
)
def test_only_numbers_that_a_database_counts_with_are_ids(text, is_one) -> None:
    assert is_number(text) is is_one


def remote(number: str, state: RequestState) -> RemoteState:
    return RemoteState(remote_id=number, remote_state="its own word", state=state)


def test_of_copies_the_oldest_that_still_stands_is_the_request() -> None:
    over, open_, copy = (
        remote("9", RequestState.CANCELLED),
        remote("10", RequestState.ACCEPTED),
        remote("11", RequestState.ACCEPTED),
    )
    assert standing([copy, over, open_]) == open_
    assert standing([over]) == over
    assert standing([]) is None
