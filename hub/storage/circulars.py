"""Circulars: every version is kept, the newest is shown. Keys of names link them to events, whichever comes first."""

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, union, update
from sqlalchemy.orm import Mapped, Session
from sqlmodel import col

from hub.model.circular import Circular, StoredCircular
from hub.model.instant import Instant
from hub.storage.paging import contains
from hub.storage.tables import CircularNameRow, CircularRow, EventAliasRow, EventRow
from hub.storage.writing import CHUNK, among, hold, insert_new, storable

_KEY = ("circular_id", "version", "content")


class Addition(StrEnum):
    """What a circular was to the store."""

    NEW = "new"
    DUPLICATE = "duplicate"
    """The same version with the same text is there."""

    REVISION = "revision"
    """The number is there with another version or text; both are kept."""


def add(session: Session, stored: StoredCircular) -> Addition:
    """Store a version of a circular and find anew which version of its number is the newest.

    A version that only an untrusted source brought never takes the place of one from a trusted source.
    """
    circular = stored.circular
    hold(session, f"circular {circular.circular_id}")
    is_known = session.scalar(select(func.count()).where(col(CircularRow.circular_id) == circular.circular_id)) or 0
    values = {
        "circular_id": circular.circular_id,
        "version": circular.version,
        "content": circular.content,
        "digest": stored.digest,
        "subject": storable(circular.subject),
        "body": storable(circular.body),
        "submitter": _storable(circular.submitter),
        "event_name": _storable(circular.event_name),
        "text_format": circular.text_format,
        "bibcode": _storable(circular.bibcode),
        "edited_by": _storable(circular.edited_by),
        "created_tai_us": circular.created_at.tai_us if circular.created_at else None,
        "edited_tai_us": circular.edited_at.tai_us if circular.edited_at else None,
        "received_tai_us": stored.received_at.tai_us,
        "is_trusted": stored.is_trusted,
        "is_latest": False,
    }
    is_new = insert_new(session, CircularRow, values, key=_KEY)
    if is_new:
        for name in stored.names:
            insert_new(
                session,
                CircularNameRow,
                {"name_key": name, **{key: values[key] for key in _KEY}},
                key=("name_key", *_KEY),
            )
    elif stored.is_trusted:
        session.execute(update(CircularRow).where(*_is(circular)).values(is_trusted=True))
    _find_latest(session, circular.circular_id)
    if not is_new:
        return Addition.DUPLICATE
    return Addition.REVISION if is_known else Addition.NEW


def of_digest(session: Session, digest: str) -> list[StoredCircular]:
    """Return the circulars of some raw bytes (one, or none)."""
    return _loaded(session, session.scalars(select(CircularRow).where(col(CircularRow.digest) == digest)))


def get(session: Session, circular_id: int) -> StoredCircular | None:
    """Return the newest version of a circular."""
    statement = select(CircularRow).where(col(CircularRow.circular_id) == circular_id, col(CircularRow.is_latest).is_(True))
    return next(iter(_loaded(session, session.scalars(statement))), None)


def versions(session: Session, circular_id: int) -> list[StoredCircular]:
    """Return all versions of a circular, the oldest first."""
    statement = select(CircularRow).where(col(CircularRow.circular_id) == circular_id)
    found = sorted(session.scalars(statement), key=_age)
    return _loaded(session, found)


def search(
    session: Session,
    *,
    words: Sequence[str] = (),
    names: Sequence[str] | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
    limit: int,
    before: int | None = None,
) -> list[StoredCircular]:
    """Return the newest versions of circulars, the highest number first.

    Parameters
    ----------
    session
        Of the state database.
    words
        All of them must stand in subject or body, whatever the case of their letters.
    names
        Keys of event names (`hub.science.event_names.name_key`), one of which it must be about; None for any.
    since, until
        Times of publication, both included.
    limit
        Most circulars.
    before
        Only numbers below this.
    """
    statement = select(CircularRow).where(col(CircularRow.is_latest).is_(True))
    for word in words:
        pattern = contains(word)
        statement = statement.where(
            or_(col(CircularRow.subject).ilike(pattern, escape="\\"), col(CircularRow.body).ilike(pattern, escape="\\"))
        )
    if names is not None:
        same = [getattr(CircularNameRow, key) == getattr(CircularRow, key) for key in _KEY]
        statement = statement.where(exists().where(*same, col(CircularNameRow.name_key).in_(names[:CHUNK])))
    if since is not None:
        statement = statement.where(col(CircularRow.created_tai_us) >= since.tai_us)
    if until is not None:
        statement = statement.where(col(CircularRow.created_tai_us) <= until.tai_us)
    if before is not None:
        statement = statement.where(col(CircularRow.circular_id) < before)
    return _loaded(session, session.scalars(statement.order_by(col(CircularRow.circular_id).desc()).limit(limit)))


def events_named(session: Session, keys: Sequence[str]) -> dict[str, list[str]]:
    """Return for each key of a name the ids of the events that bear it, by id; keys without an event are left out."""
    wanted = sorted(set(keys))
    found: dict[str, set[str]] = {}
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        own, other = _key_of(col(EventRow.event_id)), _key_of(col(EventAliasRow.alias))
        statement = union(
            select(own, col(EventRow.event_id)).where(own.in_(chunk)),
            select(other, col(EventAliasRow.event_id)).where(other.in_(chunk)),
        )
        for key, event_id in session.execute(statement):
            found.setdefault(key, set()).add(event_id)
    return {key: sorted(ids) for key, ids in sorted(found.items())}


def names_beside(session: Session, keys: Collection[str]) -> list[frozenset[str]]:
    """Return the keys of all names in each trusted circular, in its newest version, that bears one of some names."""
    name = CircularNameRow
    bearing = select(col(name.circular_id)).where(among(session, col(name.name_key), keys))
    same = [getattr(name, part) == getattr(CircularRow, part) for part in _KEY]
    statement = (
        select(col(name.circular_id), col(name.name_key))
        .join(CircularRow, and_(*same))
        .where(col(name.circular_id).in_(bearing), col(CircularRow.is_latest).is_(True), col(CircularRow.is_trusted).is_(True))
    )
    found: dict[int, set[str]] = {}
    for circular_id, key in session.execute(statement):
        found.setdefault(circular_id, set()).add(key)
    wanted = set(keys)
    return [frozenset(names) for _, names in sorted(found.items()) if names & wanted]


def _key_of(column: Mapped[str]) -> ColumnElement[str]:
    """Return `name_key` of a column, as far as the names of events need it."""
    expression: ColumnElement[str] = func.lower(column)
    for sign in " -_./:":
        expression = func.replace(expression, sign, "")
    return expression


def _find_latest(session: Session, circular_id: int) -> None:
    rows = session.scalars(
        select(CircularRow).where(col(CircularRow.circular_id) == circular_id).execution_options(populate_existing=True)
    ).all()
    newest = max(rows, key=_age)
    for row in rows:
        if row.is_latest != (row is newest):
            row.is_latest = row is newest
    session.flush()


def _age(row: CircularRow) -> tuple[bool, int, int, str]:
    return row.is_trusted, row.version, row.edited_tai_us or row.created_tai_us or 0, row.content


def _is(circular: Circular) -> tuple[ColumnElement[bool], ...]:
    return (
        col(CircularRow.circular_id) == circular.circular_id,
        col(CircularRow.version) == circular.version,
        col(CircularRow.content) == circular.content,
    )


def _loaded(session: Session, rows: Iterable[CircularRow]) -> list[StoredCircular]:
    listed = list(rows)
    names: dict[tuple[Any, ...], list[str]] = {}
    numbers = sorted({row.circular_id for row in listed})
    for start in range(0, len(numbers), CHUNK):
        statement = select(CircularNameRow).where(col(CircularNameRow.circular_id).in_(numbers[start : start + CHUNK]))
        for name in session.scalars(statement):
            names.setdefault((name.circular_id, name.version, name.content), []).append(name.name_key)
    return [_load(row, tuple(sorted(names.get((row.circular_id, row.version, row.content), ())))) for row in listed]


def _load(row: CircularRow, names: tuple[str, ...]) -> StoredCircular:
    return StoredCircular(
        circular=Circular(
            circular_id=row.circular_id,
            version=row.version,
            subject=row.subject,
            body=row.body,
            submitter=row.submitter,
            created_at=Instant(row.created_tai_us) if row.created_tai_us is not None else None,
            event_name=row.event_name,
            text_format=row.text_format,
            bibcode=row.bibcode,
            edited_by=row.edited_by,
            edited_at=Instant(row.edited_tai_us) if row.edited_tai_us is not None else None,
        ),
        digest=row.digest,
        received_at=Instant(row.received_tai_us),
        is_trusted=row.is_trusted,
        names=names,
        is_latest=row.is_latest,
    )


def _storable(text: str | None) -> str | None:
    return None if text is None else storable(text)
