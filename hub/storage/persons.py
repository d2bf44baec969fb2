"""Persons and their groups."""

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.instant import Instant
from hub.model.person import Person
from hub.model.token import Scope
from hub.storage.tables import PersonGroupRow, PersonRow
from hub.storage.writing import insert_all_new, insert_new


def add(session: Session, person: Person, password_hash: str | None) -> bool:
    """Store a new person; return whether the name was free."""
    values = {
        "name": person.name,
        "scopes": sorted(person.scopes),
        "password_hash": password_hash,
        "subject": person.subject,
        "created_tai_us": person.created_at.tai_us,
        "disabled_tai_us": None,
    }
    if not insert_new(session, PersonRow, values, key=["name"]):
        return False
    _add_groups(session, person.name, person.groups)
    return True


def named(session: Session, name: str) -> Person | None:
    """Return the person of a name."""
    return _one(session, col(PersonRow.name) == name)


def of_subject(session: Session, subject: str) -> Person | None:
    """Return the person whom a proxy or provider calls so."""
    return _one(session, col(PersonRow.subject) == subject)


def every(session: Session) -> list[Person]:
    """Return all persons by name, those who are shut out included."""
    groups: dict[str, set[str]] = {}
    for row in session.scalars(select(PersonGroupRow)):
        groups.setdefault(row.person, set()).add(row.group_name)
    rows = session.scalars(select(PersonRow).order_by(col(PersonRow.name)).execution_options(populate_existing=True))
    return [_person(row, groups.get(row.name, ())) for row in rows]


def password_hash_of(session: Session, name: str) -> str | None:
    """Return the hash of a person's password; None where there is no such person, or no password."""
    return session.scalar(select(col(PersonRow.password_hash)).where(col(PersonRow.name) == name))


def set_password_hash(session: Session, name: str, password_hash: str) -> None:
    """Store the hash of a new password."""
    session.execute(update(PersonRow).where(col(PersonRow.name) == name).values(password_hash=password_hash))


def set_subject(session: Session, name: str, subject: str | None) -> None:
    """Store who a person is for a proxy or provider; None for nobody."""
    session.execute(update(PersonRow).where(col(PersonRow.name) == name).values(subject=subject))


def renew_password_hash(session: Session, name: str, *, old: str, new: str) -> None:
    """Store another hash of the same password, unless the password was changed meanwhile."""
    is_same = (col(PersonRow.name) == name) & (col(PersonRow.password_hash) == old)
    session.execute(update(PersonRow).where(is_same).values(password_hash=new))


def set_scopes(session: Session, name: str, scopes: Collection[Scope]) -> None:
    """Store what a person may do."""
    session.execute(update(PersonRow).where(col(PersonRow.name) == name).values(scopes=sorted(scopes)))


def set_groups(session: Session, name: str, groups: Collection[str]) -> None:
    """Store which groups a person belongs to, and no others."""
    session.execute(delete(PersonGroupRow).where(col(PersonGroupRow.person) == name))
    _add_groups(session, name, groups)


def set_disabled(session: Session, name: str, at: Instant | None) -> None:
    """Shut a person out, or with None let the person in again; who is shut out already stays so since then."""
    statement = update(PersonRow).where(col(PersonRow.name) == name)
    if at is not None:
        statement = statement.where(col(PersonRow.disabled_tai_us).is_(None))
    session.execute(statement.values(disabled_tai_us=None if at is None else at.tai_us))


def _add_groups(session: Session, name: str, groups: Collection[str]) -> None:
    rows = [{"person": name, "group_name": group} for group in sorted(groups)]
    insert_all_new(session, PersonGroupRow, rows, key=["person", "group_name"])


def _one(session: Session, condition: ColumnElement[bool]) -> Person | None:
    statement = select(PersonRow).where(condition).execution_options(populate_existing=True)
    row = session.scalars(statement).first()
    if row is None:
        return None
    return _person(row, session.scalars(select(col(PersonGroupRow.group_name)).where(col(PersonGroupRow.person) == row.name)))


def _person(row: PersonRow, groups: Iterable[str]) -> Person:
    return Person(
        name=row.name,
        groups=frozenset(groups),
        scopes=frozenset(map(Scope, row.scopes)),
        has_password=row.password_hash is not None,
        subject=row.subject,
        created_at=Instant(row.created_tai_us),
        disabled_at=None if row.disabled_tai_us is None else Instant(row.disabled_tai_us),
    )
