"""One astrophysical event as one observatory sees it: a pure function of its notices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hub.model.instant import Instant
from hub.model.notice import STAGE_ORDER, EventClass, Messenger, Notice, Role, Stage
from hub.model.significance import Significance, significance_of_all
from hub.model.sky import StatedPosition


class EventState(StrEnum):
    """Whether the observatory still stands by its event."""

    ACTIVE = "active"
    RETRACTED = "retracted"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedMap:
    """A sky map that the hub fetched because a notice names its address."""

    url: str
    """As the notice names it."""

    fetched_at: Instant
    sha256: str
    """Of the file as it came, 64 hex digits."""

    localization_id: str
    remarks: tuple[str, ...] = ()
    """What the validator changed or doubts, in sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNotice:
    """A notice with what the hub knows about its arrival and its map."""

    notice_id: str
    """``identity`` and revision, hashed: 32 hex digits, the same on every hub."""

    notice: Notice
    received_at: Instant
    is_trusted: bool
    digest: str
    """SHA-256 of its raw bytes."""

    localization_id: str | None
    """None where it has neither a usable map nor a usable position."""

    remarks: tuple[str, ...] = ()
    """What was wrong with its map, in sentences."""

    fetched_map: FetchedMap | None = None
    """The map at its ``skymap_url``, once the hub has fetched it: a localization beside that of the notice itself."""

    is_placeless: bool = False
    """Whether `localization_id` is no place that anybody stated: the whole sky stands in, to search counterparts by time."""

    @property
    def localization_ids(self) -> tuple[str, ...]:
        """Where it says that its event lies: by itself, then by the map that was fetched."""
        fetched = None if self.fetched_map is None else self.fetched_map.localization_id
        return tuple(name for name in (self.localization_id, fetched) if name is not None)

    @property
    def order(self) -> tuple[int, int, int, str]:
        """Sort key: by issue, never by arrival, wherever the notice says when it was issued."""
        notice = self.notice
        issued = notice.issued_at or notice.t0
        return (
            issued.tai_us if issued else 0,
            STAGE_ORDER.index(notice.stage),
            notice.sequence,
            self.notice_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An event after one of its notices, in order of issue."""

    number: int
    """1, 2, 3 ... in order of issue; may shift when an earlier notice arrives late."""

    stored: StoredNotice


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, assembled from all its notices."""

    event_id: str
    aliases: tuple[str, ...]
    messenger: Messenger
    mission: str
    event_class: EventClass
    role: Role
    state: EventState
    versions: tuple[Version, ...]
    t0: Instant | None
    position: StatedPosition | None
    """The current stated position."""

    localization_id: str | None
    """The current localization: that of the newest notice in issue order which localizes, its fetched map before its own; what
    stands in for a place only where no notice states one."""

    far_hz: float | None
    p_astro: float | None
    classification: Mapping[str, float | None]
    properties: Mapping[str, Any] = field(default_factory=dict)
    vetoes: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    is_live: bool = False
    """All notices are live and from trusted sources."""

    significance: Significance = Significance.UNSTATED
    """The observatory's own grade, by the newest notice that states one."""

    @property
    def current(self) -> StoredNotice:
        """The newest notice in issue order; where a trusted source spoke, the newest of trusted ones."""
        return believed([version.stored for version in self.versions])[-1]

    @property
    def content(self) -> tuple[Notice, ...]:
        """What the observatory said of it, in issue order, retractions left out."""
        said = (version.stored.notice for version in self.versions)
        return tuple(notice for notice in said if notice.stage is not Stage.RETRACTION)

    @property
    def t0s(self) -> tuple[Instant, ...]:
        """Times of the event in all its versions, ascending, each once."""
        return tuple(sorted({notice.t0 for notice in self.content if notice.t0 is not None}))

    @property
    def classes(self) -> frozenset[EventClass]:
        """Classes of the event in all its versions."""
        return frozenset(notice.event_class for notice in self.content)

    @property
    def localization_ids(self) -> tuple[str, ...]:
        """Localizations of all versions that localize or are searched on the whole sky, in issue order, each once."""
        return tuple(dict.fromkeys(name for version in self.versions for name in _places(version.stored)))


def assemble(event_id: str, notices: Sequence[StoredNotice]) -> Event:
    """Return the event that a set of notices describes; the order of the sequence does not matter.

    Where a trusted source spoke, only trusted notices count: nobody else can change or retract its event. Later notices in issue
    order win where they say something; a retraction holds unless a later-issued notice takes it back; a
    veto holds while the newest notice that speaks of classification carries it.

    Raises
    ------
    ValueError
        There is no notice.
    """
    if not notices:
        raise ValueError("an event has at least one notice")
    ordered = sorted(notices, key=lambda stored: stored.order)
    counted = believed(ordered)
    said = [stored.notice for stored in counted]
    content = [notice for notice in said if notice.stage is not Stage.RETRACTION] or said
    newest = content[-1]
    places = [names[-1] for stored in counted if (names := _stated_places(stored))]
    stand_ins = [stored.localization_id for stored in counted if stored.is_placeless]
    positioned = [n for n in content if n.position is not None and n.localizes]
    classified = [n for n in content if n.classification or n.vetoes]
    properties: dict[str, Any] = {}
    for notice in content:
        properties.update(notice.properties)
    return Event(
        event_id=event_id,
        aliases=tuple(sorted({alias for notice in said for alias in notice.aliases if alias != event_id})),
        messenger=newest.messenger,
        mission=newest.mission,
        event_class=_event_class(content),
        role=_role(said),
        state=EventState.RETRACTED if said[-1].stage is Stage.RETRACTION else EventState.ACTIVE,
        versions=tuple(Version(number=i, stored=stored) for i, stored in enumerate(ordered, start=1)),
        t0=_last(content, "t0") or _last(said, "t0"),
        position=positioned[-1].position if positioned else None,
        localization_id=next(reversed([*stand_ins, *places]), None),
        far_hz=_last(content, "far_hz"),
        p_astro=_last(content, "p_astro"),
        classification=next((n.classification for n in reversed(content) if n.classification), {}),
        properties=dict(sorted(properties.items())),
        vetoes=classified[-1].vetoes if classified else (),
        depends_on=tuple(sorted({name for notice in said for name in notice.depends_on})),
        is_live=all(stored.notice.is_live and stored.is_trusted for stored in counted),
        significance=significance_of_all(content),
    )


def believed(ordered: Sequence[StoredNotice]) -> Sequence[StoredNotice]:
    """Return the notices from trusted sources; all of them where there are none."""
    return [stored for stored in ordered if stored.is_trusted] or ordered


def _places(stored: StoredNotice) -> tuple[str, ...]:
    """Return the localizations by which an event is searched because of a notice."""
    stand_in = (stored.localization_id,) if stored.is_placeless and stored.localization_id is not None else ()
    return (*stand_in, *_stated_places(stored))


def _stated_places(stored: StoredNotice) -> tuple[str, ...]:
    """Return the localizations by which a notice places its event, the best one last."""
    if not stored.notice.localizes:
        return ()
    return stored.localization_ids[1:] if stored.is_placeless else stored.localization_ids


def _last(notices: Sequence[Notice], name: str) -> Any:
    return next((value for n in reversed(notices) if (value := getattr(n, name)) is not None), None)


def _event_class(notices: Sequence[Notice]) -> EventClass:
    known = [n.event_class for n in notices if n.event_class is not EventClass.OTHER]
    return known[-1] if known else EventClass.OTHER


def _role(notices: Sequence[Notice]) -> Role:
    """Return test where any notice is one: a test must never become real by a message beside it."""
    if any(notice.role is Role.TEST for notice in notices):
        return Role.TEST
    return notices[-1].role
