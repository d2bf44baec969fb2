"""What a caller may see: what only private sources brought, and what hangs on it, is not there for who is not of their group.

This is the one place that decides it. Whatever a session of `hub.storage.engine.SeenStore` selects, by whichever query, comes
from tables without the hidden rows: each statement gets common table expressions of the tables' own names before it, which hide
the tables (SQLite, "The WITH Clause"; PostgreSQL, section 7.8). So a query that knows nothing of groups cannot tell too much.

A message is private while every source that ever brought it is; a notice that is private makes its event private, with all that
hangs on the event. What several groups' sources brought together is seen by who is of all of them. What a rule of the policy with
a group makes is private by itself, whatever the event is.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, delete, event, select, text
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.storage.private_tables import PrivateThingRow
from hub.storage.tables import Base, PrivatePartRow
from hub.storage.writing import upsert

GROUP = re.compile(r"[A-Za-z0-9._-]{1,40}")
"""What names of groups look like (`hub.model.person.is_name`): nothing else is ever written into a statement."""


class PrivateKind(StrEnum):
    """What can be private to a group."""

    SOURCE = "source"
    """What it alone brings."""

    SURVEY = "survey"
    """Objects of its alerts."""

    NETWORK = "network"
    """Requests to it."""

    DESTINATION = "destination"
    """Messages to it; and it may get what is private to its group."""

    RULE = "rule"
    """What rules of the policy with a group make, each of which is a `Thing`: named by the group itself, once there is any."""


class Thing(StrEnum):
    """What is private by itself, whatever its event is."""

    REQUEST = "request"
    DECISION = "decision"
    POINTING = "pointing"
    """Of the hub's own request."""


Parts = Mapping[tuple[PrivateKind, str], str]
"""Group by kind and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Somebody for whom some rows are not there."""

    groups: frozenset[str]
    schema: str
    """In which the tables lie: ``main`` for SQLite."""

    def rewritten(self, statement: str) -> str:
        """Return a statement that selects from what the viewer may see."""
        words = set(re.findall(r"[a-z_]+", statement))
        shadows = [
            f"{name} AS (SELECT * FROM {self.schema}.{name} WHERE {rule})"  # noqa: S608 - names of tables, and rules of this file
            for name, rule in _RULES.items()
            if name in words
        ]
        if not shadows or not (match := _SELECTS.match(statement)):
            return statement
        names = ", ".join(f"'{one}'" for one in sorted(self.groups)) or "''"
        hidden = _HIDDEN.replace("{schema}", self.schema).replace("{groups}", names)
        filled = ", ".join([hidden, *shadows]).replace("{schema}", self.schema)
        if match["with"]:
            return f"{match['with']} {filled}, {statement[match.end('with') :]}"
        return f"WITH {filled} {statement}"


_SELECTS = re.compile(r"\s*(?:(?P<with>WITH(?: RECURSIVE)?)\b|SELECT\b|\(SELECT\b)", re.IGNORECASE)

_HIDDEN = """
mmhub_sources AS (SELECT name FROM {schema}.private_parts WHERE kind = 'source' AND group_name NOT IN ({groups})),
mmhub_surveys AS (SELECT name FROM {schema}.private_parts WHERE kind = 'survey' AND group_name NOT IN ({groups})),
mmhub_networks AS (SELECT name FROM {schema}.private_parts WHERE kind = 'network' AND group_name NOT IN ({groups})),
mmhub_destinations AS (SELECT name FROM {schema}.private_parts WHERE kind = 'destination' AND group_name NOT IN ({groups})),
mmhub_things AS (SELECT kind, name FROM {schema}.private_things WHERE group_name NOT IN ({groups})),
mmhub_digests AS (
    SELECT r.digest FROM {schema}.receptions r WHERE r.source IN (SELECT name FROM mmhub_sources) AND NOT EXISTS (
        SELECT 1 FROM {schema}.receptions o WHERE o.digest = r.digest AND o.source NOT IN (SELECT name FROM mmhub_sources))),
mmhub_events AS (
    SELECT n.event_id FROM {schema}.notices n
    WHERE n.event_id IS NOT NULL AND n.digest IN (SELECT digest FROM mmhub_digests)),
mmhub_aliases AS (SELECT alias FROM {schema}.event_aliases WHERE event_id IN (SELECT event_id FROM mmhub_events)),
mmhub_pairs AS (
    SELECT m.coincidence_id FROM {schema}.coincidence_members m
    WHERE (m.kind = 'event' AND m.member_id IN (SELECT event_id FROM mmhub_events))
    OR (m.kind = 'object' AND EXISTS (
        SELECT 1 FROM mmhub_surveys s WHERE substr(m.member_id, 1, length(s.name) + 1) = s.name || ':'))),
mmhub_intents AS (
    SELECT i.intent_id FROM {schema}.intents i
    WHERE i.event_id IN (SELECT event_id FROM mmhub_events)
    OR i.coincidence_id IN (SELECT coincidence_id FROM mmhub_pairs)
    OR i.network IN (SELECT name FROM mmhub_networks)
    OR i.intent_id IN (SELECT name FROM mmhub_things WHERE kind = 'request')),
mmhub_bursts AS (
    SELECT source_id FROM {schema}.source_members WHERE event_id IN (SELECT event_id FROM mmhub_events)),
mmhub_groups AS (
    SELECT group_id FROM {schema}.group_members WHERE kind = 'event' AND member_id IN (SELECT event_id FROM mmhub_events))
"""
"""What the rules below are made of: what is hidden from who is only of some groups."""

_OF_EVENT = "(event_id IS NULL OR event_id NOT IN (SELECT event_id FROM mmhub_events))"
_OF_PAIR = "(coincidence_id IS NULL OR coincidence_id NOT IN (SELECT coincidence_id FROM mmhub_pairs))"
_OF_DIGEST = "digest NOT IN (SELECT digest FROM mmhub_digests)"
_OF_INTENT = "(intent_id IS NULL OR intent_id NOT IN (SELECT intent_id FROM mmhub_intents))"
_OF_ITS_SURVEY = "survey NOT IN (SELECT name FROM mmhub_surveys)"

_BY_DIGEST = ("raw_messages", "dead_letters", "contexts", "notices", "circulars")
"""Tables of messages; other digests are of secrets."""

_MAP_OF = """EXISTS (
    SELECT 1 FROM {schema}.notices n WHERE n.digest {is} (SELECT digest FROM mmhub_digests)
    AND replace(n.document, '"localization_id":"' || localizations.localization_id || '"', '') <> n.document)"""

_NO_POINTING = "pointing_id NOT IN (SELECT name FROM mmhub_things WHERE kind = 'pointing')"

_MORE: Mapping[str, str] = {
    "event_groups": "group_id NOT IN (SELECT group_id FROM mmhub_groups)",
    "group_members": "group_id NOT IN (SELECT group_id FROM mmhub_groups)",
    "source_versions": "source_id NOT IN (SELECT source_id FROM mmhub_bursts)",
    "source_words": "first NOT IN (SELECT event_id FROM mmhub_events) AND second NOT IN (SELECT event_id FROM mmhub_events)",
    "localizations": f"NOT ({_MAP_OF.replace('{is}', 'IN')} AND NOT {_MAP_OF.replace('{is}', 'NOT IN')})",
    "annotations": """
    NOT (target_kind = 'event' AND (
        target_id IN (SELECT event_id FROM mmhub_events) OR target_id IN (SELECT alias FROM mmhub_aliases)))
    AND NOT (target_kind = 'object' AND EXISTS (
        SELECT 1 FROM mmhub_surveys s WHERE substr(target_id, 1, length(s.name) + 1) = s.name || ':'))""",
    "followup_decisions": "decision_id NOT IN (SELECT name FROM mmhub_things WHERE kind = 'decision')",
    "pointings": _NO_POINTING,
    "register_reports": f"{_NO_POINTING} AND network NOT IN (SELECT name FROM mmhub_networks)",  # noqa: S608 - rules of this file
    "outbox": "destination NOT IN (SELECT name FROM mmhub_destinations) AND key NOT IN (SELECT event_id FROM mmhub_events)",
}
"""Rules of tables that are not told by the names of their columns."""

_BY_COLUMN = {"event_id": _OF_EVENT, "coincidence_id": _OF_PAIR, "survey": _OF_ITS_SURVEY, "intent_id": _OF_INTENT}


def _rules() -> dict[str, str]:
    found = {}
    for name, table in Base.metadata.tables.items():
        rules = [_OF_DIGEST] if name in _BY_DIGEST else []
        rules += [rule for column, rule in _BY_COLUMN.items() if column in table.c]
        rules += [_MORE[name]] if name in _MORE else []
        if rules:
            found[name] = " AND ".join(rules)
    return found


_RULES = _rules()
"""What of each table is there."""


def declare(session: Session, parts: Parts) -> None:
    """Write down which parts of the settings are private to which group; the empty text makes one public.

    Parts that the settings do not name any more keep their group: what they brought stays private.
    """
    known = every(session)
    for (kind, name), group in parts.items():
        if known.get((kind, name), "") == group:
            continue
        if group:
            values = {"kind": kind.value, "name": name, "group_name": group}
            upsert(session, PrivatePartRow, values, key=["kind", "name"])
        else:
            place = (col(PrivatePartRow.kind) == kind.value, col(PrivatePartRow.name) == name)
            session.execute(delete(PrivatePartRow).where(*place))


def keep_within(session: Session, thing: Thing, name: str, group: str) -> None:
    """Let a thing be private to a group; the empty text makes it public."""
    if group:
        values = {"kind": thing.value, "name": name, "group_name": group}
        upsert(session, PrivateThingRow, values, key=["kind", "name"])
        declare(session, {(PrivateKind.RULE, group): group})
    else:
        place = (col(PrivateThingRow.kind) == thing.value, col(PrivateThingRow.name) == name)
        session.execute(delete(PrivateThingRow).where(*place))


def every(session: Session) -> dict[tuple[PrivateKind, str], str]:
    """Return the group of each part that is private."""
    rows = session.execute(select(col(PrivatePartRow.kind), col(PrivatePartRow.name), col(PrivatePartRow.group_name)))
    return {(PrivateKind(kind), name): group for kind, name, group in rows}


def viewer_of(engine: Engine, groups: Collection[str]) -> Viewer | None:
    """Return who is of some groups; None for who sees everything that there is."""
    held = frozenset(one for one in groups if GROUP.fullmatch(one))
    with Session(engine) as session:
        if not any(group not in held for group in every(session).values()):
            return None
        schema = "main" if engine.name == "sqlite" else str(session.scalar(text("SELECT current_schema()")))
    return Viewer(groups=held, schema=schema)


def seen_by(engine: Engine, viewer: Viewer) -> Engine:
    """Return an engine whose connections select from what a viewer may see."""
    own = engine.execution_options()

    def rewrite(_conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> tuple[str, Any]:
        return viewer.rewritten(statement), parameters

    event.listen(own, "before_cursor_execute", rewrite, retval=True)
    return own


def may_know(
    session: Session, who: tuple[PrivateKind, str], *, event_id: str, network: str, target: str, within: str = ""
) -> bool:
    """Return whether a destination or a register may be told of a request: what is private goes to those of its group alone.

    Parameters
    ----------
    session
        Only read from.
    who
        Would be told.
    event_id, network, target
        Of the request.
    within
        Group that the request itself is private to, by its rule; empty for none.
    """
    known = every(session)
    group = known.get(who, "")
    if known.get((PrivateKind.NETWORK, network), group) != group or within not in ("", group):
        return False
    survey, colon, _ = target.partition(":")
    return is_seen(session, [group], [event_id], [survey] if colon else [])


def is_seen(session: Session, groups: Collection[str], event_ids: Collection[str], surveys: Collection[str] = ()) -> bool:
    """Return whether who is of some groups may see all of some events, and objects of some surveys."""
    known = every(session)
    if any(known.get((PrivateKind.SURVEY, survey), "") not in {"", *groups} for survey in surveys):
        return False
    return set(event_ids) <= seen_events(session, groups, event_ids)


def seen_events(session: Session, groups: Collection[str], event_ids: Collection[str]) -> set[str]:
    """Return those of some events that who is of some groups may see; where anything is hidden, of those that there are."""
    held = frozenset(groups)
    if all(group in held for group in every(session).values()):
        return set(event_ids)
    schema = "main" if session.get_bind().dialect.name == "sqlite" else str(session.scalar(text("SELECT current_schema()")))
    viewer = Viewer(groups=frozenset(one for one in held if GROUP.fullmatch(one)), schema=schema)
    statement = viewer.rewritten("SELECT event_id FROM events WHERE event_id = :name")
    return {one for one in event_ids if session.execute(text(statement), {"name": one}).first() is not None}
