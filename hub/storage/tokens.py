"""Tokens of the HTTP API. There is no way back from what is stored to a token."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from hub.model.instant import Instant
from hub.model.token import ID_DIGITS, Scope, Token
from hub.storage.tables import TokenRow
from hub.storage.writing import insert_new


def add(session: Session, token: Token) -> bool:
    """Store a new token; return whether its name was free."""
    values = {
        "token_id": token.token_id,
        "digest": token.digest,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "is_trusted": token.is_trusted,
        "created_tai_us": token.created_at.tai_us,
        "expires_tai_us": token.expires_at.tai_us,
        "revoked_tai_us": None,
        "last_used_tai_us": None,
    }
    return insert_new(session, TokenRow, values, key=["name"])


def candidate(session: Session, digest: str) -> Token | None:
    """Return the token whose id a digest begins with; whether the whole digest is the same is for the caller to compare."""
    statement = select(TokenRow).where(col(TokenRow.token_id) == digest[:ID_DIGITS]).execution_options(populate_existing=True)
    row = session.scalars(statement).first()
    return None if row is None else _token(row)


def named(session: Session, name: str) -> Token | None:
    """Return the token of a name or id."""
    statement = select(TokenRow).where((col(TokenRow.name) == name) | (col(TokenRow.token_id) == name))
    row = session.scalars(statement.execution_options(populate_existing=True)).first()
    return None if row is None else _token(row)


def every(session: Session) -> list[Token]:
    """Return all tokens, revoked and expired ones included, the newest first."""
    statement = select(TokenRow).order_by(col(TokenRow.created_tai_us).desc(), col(TokenRow.name))
    return [_token(row) for row in session.scalars(statement.execution_options(populate_existing=True))]


def revoke(session: Session, token_id: str, at: Instant) -> bool:
    """Make a token useless; return whether it was not so before."""
    statement = (
        update(TokenRow)
        .where(col(TokenRow.token_id) == token_id, col(TokenRow.revoked_tai_us).is_(None))
        .values(revoked_tai_us=at.tai_us)
        .returning(col(TokenRow.token_id))
    )
    return session.execute(statement).first() is not None


def used(session: Session, token_id: str, at: Instant) -> None:
    """Note when a token was used."""
    session.execute(update(TokenRow).where(col(TokenRow.token_id) == token_id).values(last_used_tai_us=at.tai_us))


def _token(row: TokenRow) -> Token:
    return Token(
        token_id=row.token_id,
        digest=row.digest,
        name=row.name,
        scopes=frozenset(map(Scope, row.scopes)),
        is_trusted=row.is_trusted,
        created_at=Instant(row.created_tai_us),
        expires_at=Instant(row.expires_tai_us),
        revoked_at=None if row.revoked_tai_us is None else Instant(row.revoked_tai_us),
        last_used_at=None if row.last_used_tai_us is None else Instant(row.last_used_tai_us),
    )
