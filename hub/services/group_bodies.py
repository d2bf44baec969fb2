"""Groups as the command line and the HTTP API show them."""

from sqlalchemy.orm import Session

from hub.errors import NotFound
from hub.model.coincidence import MemberKind, PairState
from hub.model.group import Group, GroupMember, GroupPair
from hub.science.arithmetic import Explained
from hub.science.group_account import BAYES, CHANCE, FAR, OVERLAP, explained
from hub.services.bodies import Body, jsonable, score_body, text, utc
from hub.services.queries import Page, find_event
from hub.storage import events, groups, localizations
from hub.storage.groups import Key


def page(
    session: Session,
    *,
    event_name: str | None = None,
    state: PairState | None = None,
    live_only: bool = False,
    limit: int,
    before: Key | None = None,
) -> Page:
    """Return the latest version of each group, the most recently found first; an unknown event is in none."""
    event = None if event_name is None else events.get(session, event_name)
    event_id = event_name if event is None else event.event_id
    found = groups.search(session, event_id=event_id, state=state, live_only=live_only, limit=limit + 1, before=before)
    shown = found[:limit]
    last = groups.key(session, shown[-1].group_id) if len(found) > limit else None
    return Page(bodies=[group_body(one) for one in shown], last=last)


def group(session: Session, name: str) -> Body:
    """Return the latest version of a group, by its id or any name of an event that is in it now; raises `NotFound`."""
    return group_body(find_group(session, name))


def history(session: Session, name: str) -> list[Body]:
    """Return all versions of a group, the first one first; raises `NotFound`."""
    return [group_body(one) for one in groups.history(session, find_group(session, name).group_id)]


def explained_group(session: Session, name: str, version: int | None = None) -> tuple[Group, list[Explained]]:
    """Return a version of a group, the latest where none is named, and its numbers computed again from what is stored.

    Raises
    ------
    NotFound
        There is no such group, or no such version of it.
    """
    latest = find_group(session, name)
    found = {one.version: one for one in groups.history(session, latest.group_id)}
    one = found.get(latest.version if version is None else version)
    if one is None:
        raise NotFound(f"group {latest.group_id} has versions 1 to {latest.version}, not {version}")
    stored = {place: localizations.get(session, place) for place in one.localization_ids}
    return one, explained(one, {place: found_map.skymap for place, found_map in stored.items() if found_map is not None})


def find_group(session: Session, name: str) -> Group:
    """Return a group by its id or any name of an event that is in it now; raises `NotFound`."""
    found = groups.latest(session, name)
    if found is not None:
        return found
    try:
        event_id = find_event(session, name).event_id
    except NotFound as error:
        raise NotFound(f"there is no group and no event {name}") from error
    home = groups.homes(session, [event_id]).get(event_id)
    found = None if home is None else groups.latest(session, home)
    if found is None:
        raise NotFound(f"{event_id} is in no group: no open pair ties it to another event")
    return found


def explained_body(line: Explained) -> Body:
    """Return one number with its arithmetic."""
    return {
        "statistic": line.score.statistic,
        "value": jsonable(line.score.value),
        "unit": line.score.unit,
        "arithmetic": text(line.arithmetic),
        "again": jsonable(line.again),
        "agrees": line.agrees,
        "inputs": jsonable(dict(line.score.inputs)),
    }


def group_body(one: Group) -> Body:
    """Return one version of a group."""
    return {
        "group_id": one.group_id,
        "centre": text(one.centre),
        "kind": one.kind,
        "state": one.state.value,
        "version": one.version,
        "is_live": one.is_live,
        "t0": utc(one.t0),
        "created_at": utc(one.created_at),
        "members": [_member(member) for member in one.members],
        "events": [text(member.id) for member in one.members if member.kind is MemberKind.EVENT],
        "objects": [text(member.id) for member in one.members if member.kind is MemberKind.OBJECT],
        "pairs": [_pair(pair) for pair in one.pairs],
        "overlap": jsonable(one.score(OVERLAP)),
        "bayes_factor": jsonable(one.score(BAYES)),
        "group_far_hz": jsonable(one.score(FAR)),
        "group_random_association_hz": jsonable(one.score(CHANCE)),
        "scores": [score_body(score) for score in one.scores],
        "reasons": jsonable(one.reasons),
        "localization_ids": list(one.localization_ids),
    }


def _member(member: GroupMember) -> Body:
    return {
        "kind": member.kind.value,
        "id": text(member.id),
        "part": text(member.part),
        "what": member.what,
        "via": member.via,
        "t0": utc(member.t0),
        "localization_id": member.localization_id,
    }


def _pair(pair: GroupPair) -> Body:
    rates = pair.rates
    return {
        "coincidence_id": pair.coincidence_id,
        "kind": text(pair.kind),
        "members": [text(name) for name in pair.members],
        "joint_far_hz": jsonable(rates and rates.spacetime.value_hz),
        "joint_far_time_only_hz": jsonable(rates and rates.time_only.value_hz),
        "random_association_hz": jsonable(rates and rates.chance_hz),
        "held_back": pair.held_back,
        "elsewhere": text(pair.elsewhere),
    }
