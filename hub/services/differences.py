"""Two versions of an event compared: what its observatory says now that it did not say then, and what that does to everything.

The state after a version is assembled from the notices up to it. Its overlaps and candidates are computed by the functions that
the hub runs with, from the other events' localizations, the objects' alerts and the facts of now: so a difference is the event's
alone. What was said then, of coincidences, is stored, and told beside it (`hub.services.stored_scores`).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from hub.archive.history import ArchiveHistory
from hub.catalogs.searching import Catalogs
from hub.errors import InvalidRequest, NotFound
from hub.model.coincidence import Candidate, MemberKind
from hub.model.event import Event, assemble
from hub.model.sky import SkymapSummary
from hub.ports import AlertHistory
from hub.resources import read_text
from hub.science.candidates import Judgement
from hub.science.class_rules import load_class_rules
from hub.science.host_rules import load_host_rules
from hub.science.onset import VisitsBefore
from hub.science.rank_moves import Move, moves
from hub.science.ranking import DEFAULT, Ranking
from hub.science.rules import Rules
from hub.science.small_cone import separation_arcsec
from hub.science.spatial import no_place
from hub.services import coverage
from hub.services.bodies import Body, jsonable, text, utc
from hub.services.catalogued import Catalogued
from hub.services.counterparts import shipped
from hub.services.hosting import Hosting
from hub.services.judging import FactSource, judge, knows_nothing
from hub.services.known_facts import KnownFacts
from hub.services.last_visits import SureVisits
from hub.services.maps import MapCache
from hub.services.matching import Matching
from hub.services.pasts import past_of
from hub.services.queries import find_event
from hub.services.stored_scores import StoredChange, stored_changes
from hub.storage import coincidences, events, localizations
from hub.storage.engine import Store

TOP = 10
"""So many of the best candidates of either version are followed."""

BASIS = (
    "Moves and overlaps are recomputed: both versions with each one's own map, time and class, and with the objects' alerts, the "
    "facts, the rules and the other events' localizations of now. What is under stored is what was stored of coincidences under "
    "each version, as it was said then."
)
"""Said with each answer."""

Value = float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that differs."""

    what: str
    """``area90_deg2``, ``dist_mean_mpc``, ``far_hz``, ``event_class``, ``t0``, ``state``, ``position`` ..."""

    before: Value
    after: Value
    change: float | None = None
    """Difference of numbers in their unit; of ``t0`` in seconds, of a position the angle in degrees."""

    ratio: float | None = None
    """After divided by before, of false-alarm rates and areas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOverlap:
    """The overlap integral of an event with another one."""

    coincidence_id: str
    other: str
    state: str
    """Of the pair now."""

    before: float | None
    """Dimensionless; 1 where a map says nothing about a place, None where one of the two has none."""

    after: float | None
    before_reason: str | None = None
    """Why two places could not be compared."""

    after_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What differs between two versions of an event."""

    event_id: str
    before: int
    """Number of the version that is compared with, 1 for the first one issued."""

    after: int
    changes: tuple[Change, ...]
    overlaps: tuple[PairOverlap, ...]
    """Of all its pairs with other events, changed or not."""

    moves: tuple[Move, ...]
    not_judged: int
    """Candidates whose alerts are not in the archive any more: they are left out of the moves."""

    stored: tuple[StoredChange, ...]
    """Coincidences of which something else was stored under the two versions."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Means:
    """What candidates are judged with."""

    history: AlertHistory
    rules: Rules
    maps: MapCache
    facts: FactSource = knows_nothing
    visits: VisitsBefore | None = None
    ranking: Ranking = DEFAULT

    @classmethod
    def of_folders(
        cls,
        archive: Path,
        catalogs: Path | None,
        use: Sequence[str] = (),
        ranking: Ranking = DEFAULT,
        store: Store | None = None,
    ) -> "Means":
        """Return what an archive and catalogues tell, by the rules that the hub ships; of visits the books must tell too."""
        maps, hosts = MapCache(), load_host_rules(read_text("conf/hosts.toml"))
        facts: FactSource = knows_nothing
        if catalogs is not None:
            hosting = Hosting(Catalogued(Catalogs(catalogs, use), hosts), hosts, maps)
            facts = KnownFacts(hosting=hosting, classes=load_class_rules(read_text("conf/classes.toml")))
        history = ArchiveHistory(archive)
        visits = SureVisits(store, archive).before if store is not None else None
        return cls(history=history, rules=shipped().rules, maps=maps, facts=facts, visits=visits, ranking=ranking)


def differences(session: Session, name: str, before: int, after: int, means: Means) -> Differences:
    """Return what differs between two versions of an event.

    Raises
    ------
    NotFound
        There is no such event, or no such version of it.
    InvalidRequest
        Both versions are the same.
    """
    event = find_event(session, name)
    if before == after:
        raise InvalidRequest(f"version {before} of the event {event.event_id} does not differ from itself: name two versions")
    old, new = _at(event, before), _at(event, after)
    moved, not_judged = _moves(session, old, new, means)
    return Differences(
        event_id=event.event_id,
        before=before,
        after=after,
        changes=_changes(old, new, _summary(session, old), _summary(session, new)),
        overlaps=_overlaps(session, old, new, means),
        moves=moved,
        not_judged=not_judged,
        stored=stored_changes(session, event, before, after),
    )


def differences_body(found: Differences) -> Body:
    """Return the differences as JSON values."""
    return {
        "event_id": text(found.event_id),
        "from": found.before,
        "to": found.after,
        "changes": [jsonable(asdict(one)) for one in found.changes],
        "overlaps": [jsonable(asdict(one)) for one in found.overlaps],
        "moves": [jsonable(asdict(one)) for one in found.moves],
        "not_judged": found.not_judged,
        "stored": [jsonable(asdict(one)) for one in found.stored],
        "basis": BASIS,
    }


def _at(event: Event, number: int) -> Event:
    """Return an event as it was after one of its versions."""
    if not 1 <= number <= len(event.versions):
        there = "only version 1" if len(event.versions) == 1 else f"versions 1 to {len(event.versions)}"
        raise NotFound(f"the event {event.event_id} has {there}, not {number}")
    return assemble(event.event_id, [version.stored for version in event.versions[:number]])


def _summary(session: Session, event: Event) -> SkymapSummary | None:
    return localizations.summary(session, event.localization_id) if event.localization_id else None


def _changes(old: Event, new: Event, old_map: SkymapSummary | None, new_map: SkymapSummary | None) -> tuple[Change, ...]:
    found = [_number("far_hz", old.far_hz, new.far_hz, has_ratio=True), _number("p_astro", old.p_astro, new.p_astro)]
    for what in ("area50_deg2", "area90_deg2", "dist_mean_mpc", "dist_std_mpc"):
        numbers = (getattr(one, what) if one else None for one in (old_map, new_map))
        found.append(_number(what, *numbers, has_ratio=what.startswith("area")))
    found.append(Change(what="event_class", before=old.event_class.value, after=new.event_class.value))
    found += [
        _number(f"classification.{name}", old.classification.get(name), new.classification.get(name))
        for name in sorted({*old.classification, *new.classification})
    ]
    later = new.t0.minus(old.t0) if old.t0 and new.t0 else None
    found.append(Change(what="t0", before=utc(old.t0), after=utc(new.t0), change=later))
    found.append(Change(what="state", before=old.state.value, after=new.state.value))
    found.append(_position(old, new, old_map, new_map))
    return tuple(one for one in found if one.before != one.after)


def _number(what: str, old: float | None, new: float | None, *, has_ratio: bool = False) -> Change:
    both = old is not None and new is not None
    return Change(
        what=what,
        before=old,
        after=new,
        change=new - old if both else None,  # type: ignore[operator]  # both are numbers
        ratio=new / old if both and has_ratio and old else None,  # type: ignore[operator]  # the same
    )


def _position(old: Event, new: Event, old_map: SkymapSummary | None, new_map: SkymapSummary | None) -> Change:
    """Compare the stated positions; of maps their peaks, where a version states none."""
    a, b = (_place(*one) for one in ((old, old_map), (new, new_map)))
    moved = separation_arcsec(*a, *b) / 3600.0 if a and b else None
    words = [f"{place[0]:.5f} {place[1]:+.5f}" if place else None for place in (a, b)]
    return Change(what="position", before=words[0], after=words[1], change=moved)


def _place(event: Event, skymap: SkymapSummary | None) -> tuple[float, float] | None:
    if event.position is not None:
        return event.position.ra_deg, event.position.dec_deg
    return (skymap.peak_ra_deg, skymap.peak_dec_deg) if skymap else None


def _overlaps(session: Session, old: Event, new: Event, means: Means) -> tuple[PairOverlap, ...]:
    found = []
    for pair in coincidences.of_events(session, new.event_id):
        others = [one.id for one in pair.members if one.kind is MemberKind.EVENT and one.id != new.event_id]
        other = events.get(session, others[0]) if len(others) == 1 else None
        if other is None:
            continue
        (before, why_before), (after, why_after) = (_overlap(session, one, other, means) for one in (old, new))
        found.append(
            PairOverlap(
                coincidence_id=pair.coincidence_id,
                other=other.event_id,
                state=pair.state.value,
                before=before,
                after=after,
                before_reason=why_before,
                after_reason=why_after,
            )
        )
    return tuple(found)


def _overlap(session: Session, one: Event, other: Event, means: Means) -> tuple[float | None, str | None]:
    """Return the overlap integral of two events' maps, as pairs do, and why it is none."""
    names = {event.localization_id for event in (one, other) if event.localization_id is not None}
    maps = means.maps.localizations(session, names)
    reason = no_place(one, maps, means.rules.spatial) or no_place(other, maps, means.rules.spatial)
    if one.localization_id is None or other.localization_id is None:
        return None, reason
    return (1.0, reason) if reason else (means.maps.overlap(maps[one.localization_id], maps[other.localization_id]), None)


def _moves(session: Session, old: Event, new: Event, means: Means) -> tuple[tuple[Move, ...], int]:
    matching = Matching(history=means.history, rules=means.rules, maps=means.maps)
    keys = matching.known(session, new.event_id)  # candidates of the event by any of its versions
    if not keys:
        return (), 0
    past = past_of(means.history, keys)
    by = Judgement(coverage=coverage.heard(session), ranking=means.ranking, confirmation=means.rules.confirmation)

    def judged(event: Event) -> Sequence[Candidate]:
        asked = [(event, keys)]
        far = means.rules.look_back_d
        return judge(session, matching, asked, past, by=by, facts=means.facts, visits=means.visits, look_back_d=far)[0].candidates

    there = {(survey, name) for survey, curves in past.items() for name in curves.names}
    moved = moves(judged(old), judged(new), top=TOP, ranking=means.ranking)
    return moved, len({(key.survey, key.object_id) for key in keys} - there)
