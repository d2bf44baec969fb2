"""One burst, seen by one mission or by several: what their events are members of, and why."""

from dataclasses import dataclass
from enum import StrEnum

from hub.model.instant import Instant
from hub.model.notice import EventClass


class LinkKind(StrEnum):
    """Why two events are held for one burst, the strongest reason first."""

    PERSON = "person"
    """Somebody said so."""

    NAME = "name"
    """Both bear one designation, or a text gives both names."""

    CITATION = "citation"
    """One cites the other, or was observed because of it."""

    TIME_AND_PLACE = "time_and_place"
    """Their times lie within durations and clock errors, and their localizations overlap."""

    TIME = "time"
    """One has no place, and their times lie within seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Two events of one burst."""

    first: str
    """Event id, the smaller of the two."""

    second: str
    kind: LinkKind
    reason: str
    """A sentence for a person."""

    word: int | None = None
    """Number of the person's word that it rests upon; None for every other kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMember:
    """One mission's event of a burst."""

    event_id: str
    mission: str
    event_class: EventClass
    t0: Instant | None
    duration_s: float | None
    """As the mission states it."""

    localization_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One burst. A pure function of the events and of what persons said about them."""

    source_id: str
    """The id of its earliest member by time, then by id."""

    members: tuple[SourceMember, ...]
    """By time, then by id."""

    links: tuple[Link, ...]
    """What holds it together, the strongest first; without any one of them it would fall apart."""

    aliases: tuple[str, ...]
    """All other names of its members."""

    t0: Instant | None
    """That of its earliest member."""

    duration_s: float | None
    """The longest that a member states."""

    localization_id: str | None
    """Where it lies: the combined map of the independent localizations of its members that agree, else the smallest of all."""

    is_live: bool
    """False where its members are tests, mocks or from untrusted sources; they never share a source with real ones."""

    combined_ids: tuple[str, ...] = ()
    """Ids of the localizations that are combined, the smallest first; empty where none are."""

    localization_origin: str = ""
    """Whose localizations its own is made of, and why others are not among them: a sentence."""

    @property
    def event_ids(self) -> tuple[str, ...]:
        """Ids of its members, in their order."""
        return tuple(member.event_id for member in self.members)

    @property
    def missions(self) -> tuple[str, ...]:
        """Missions that saw it, each once, by name."""
        return tuple(sorted({member.mission for member in self.members}))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVersion:
    """What a source was after one change."""

    version: int
    created_at: Instant
    source: Source
    change: str
    """What was different from the version before, a sentence."""


class WordKind(StrEnum):
    """What a person can say about two events."""

    JOIN = "join"
    SPLIT = "split"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a person said about two events. It stays, taken back or not."""

    number: int
    """Counts from 1 in the order in which they were said."""

    kind: WordKind
    first: str
    """Event id, the smaller of the two."""

    second: str
    said_by: str
    said_at: Instant
    reason: str
    undone_by: str | None = None
    """Who took it back; None while it holds."""

    undone_at: Instant | None = None
    undone_because: str = ""

    @property
    def holds(self) -> bool:
        """Whether nobody has taken it back."""
        return self.undone_by is None
