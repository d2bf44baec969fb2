"""What a person does with messages that could not be used: look, try again after a fix, or drop."""

from dataclasses import dataclass
from typing import Protocol

from hub.errors import NotFound
from hub.services.intake import Outcome
from hub.storage import deadletters, envelopes
from hub.storage.deadletters import DeadLetter, LetterKind
from hub.storage.engine import Store
from hub.storage.envelopes import RawMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLetter:
    """A dead letter with its bytes."""

    letter: DeadLetter
    message: RawMessage


def listing(
    store: Store, *, source: str | None = None, kind: LetterKind | None = None, limit: int | None = None
) -> list[DeadLetter]:
    """Return the dead letters, the newest first."""
    with store.reading() as session:
        return deadletters.listing(session, source=source, kind=kind, limit=limit)


def show(store: Store, digest: str) -> ShownLetter:
    """Return one dead letter with its bytes, by its digest or the first 8 or more digits of it.

    Raises
    ------
    NotFound
        There is no such letter, or more than one begins so.
    """
    with store.reading() as session:
        letter = deadletters.get(session, digest)
        message = envelopes.raw(session, letter.digest) if letter else None
    if letter is None or message is None:
        raise NotFound(
            f"there is no dead letter {digest!r}; give the digest or at least its first {deadletters.PREFIX_LENGTH} digits"
        )
    return ShownLetter(letter=letter, message=message)


class Replays(Protocol):
    """What can take a dead letter in again: `hub.services.flow.Flow`."""

    def replay(self, digest: str) -> Outcome | None:
        """Take the letter with this digest in again; None where there is none."""
        ...


def replay(store: Store, flow: Replays, digest: str) -> Outcome:
    """Take a dead letter in again: it is stored now, or stays a dead letter with one more try.

    Raises
    ------
    NotFound
        There is no such letter, or somebody else is replaying it.
    """
    letter = show(store, digest).letter
    outcome = flow.replay(letter.digest)
    if outcome is None:
        raise NotFound(f"the dead letter {letter.digest} is being replayed already")
    return outcome


def drop(store: Store, digest: str) -> DeadLetter:
    """Take a letter off the list for good and return it; its bytes stay, and the books still say that it was refused.

    Raises
    ------
    NotFound
        There is no such letter.
    """
    letter = show(store, digest).letter
    with store.transaction() as session:
        deadletters.remove(session, letter.digest)
    return letter
