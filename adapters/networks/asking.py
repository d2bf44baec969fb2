"""What networks behind a web service have alike: a sending whose fate is told, reasons of a no, and copies of a request."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from adapters.http import Answer
from hub.errors import Permanent, Transient, TransportError
from hub.model.followup import TERMINAL_STATES
from hub.ports import RemoteState


@contextmanager
def sent_once(name: str, what: str) -> Iterator[None]:
    """Tell of a sending that failed what became of it.

    Parameters
    ----------
    name
        Of the network.
    what
        What is sent, as ``request``.

    Raises
    ------
    Transient
        Nothing was sent.
    TransportError
        The outcome is unknown.
    """
    try:
        yield
    except TransportError as error:
        if error.nothing_was_sent:
            raise Transient(f"{error}; nothing was sent") from error
        raise TransportError(f"{error}; {unknown(name, what)}") from error


def unknown(name: str, what: str) -> str:
    """Return that nobody knows whether a network has something."""
    return f"whether {name} has the {what} is unknown"


def reasons_of(answer: Answer, name: str, read: Callable[[object], list[str]], *, credential: str = "token") -> list[str]:
    """Return why a network said no, at least one sentence.

    Parameters
    ----------
    answer
        What it said.
    name
        Of the network.
    read
        Returns the reasons that the JSON of an answer holds.
    credential
        What it does not accept where it answers 401 or 403.
    """
    try:
        said = read(answer.json())
    except Permanent:
        said = []
    if answer.status in (401, 403):
        details = "; ".join(text.removeprefix("detail: ") for text in said)
        return [f"{name} does not accept the {credential} ({answer.status}{': ' if details else ''}{details})"]
    return said or [f"{name} answered {answer.status}"]


def fault_of(answer: Answer, name: str, reasons: Iterable[str]) -> TransportError:
    """Return what an answer that is no result means, where nothing was booked or nothing was to be."""
    if answer.status == 429:
        after_s = answer.retry_after_s
        later = "" if after_s is None else f"; it wants to be asked again in {after_s:g} s"
        return Transient(f"{name} answered 429 too many requests{later}", retry_after_s=after_s)
    return (Transient if answer.is_passing else Permanent)("; ".join(reasons))


def is_number(remote_id: str) -> bool:
    """Return whether an id can be a number of a database, as which networks count their requests."""
    return remote_id.isascii() and remote_id.isdecimal() and len(remote_id) < 19


def standing(states: Iterable[RemoteState]) -> RemoteState | None:
    """Return of a request's copies (somebody copied it) the first that is not over yet, else the first; None of none."""
    ordered = sorted(states, key=lambda state: int(state.remote_id))
    return next(iter([state for state in ordered if state.state not in TERMINAL_STATES] or ordered), None)
