"""Rows of tokens, on both engines."""

from hub.model.token import ID_DIGITS, Scope, Token, digest_of, new_token
from hub.storage import tokens
from tests.support.words import T0


def make_token(name="robot", at=T0, **more):
    digest = digest_of(new_token())
    values = {
        "token_id": digest[:ID_DIGITS],
        "digest": digest,
        "name": name,
        "scopes": frozenset({Scope.READ, Scope.NOTICE_SUBMIT}),
        "is_trusted": True,
        "created_at": at,
        "expires_at": at.plus_s(60),
    }
    return Token(**{**values, **more})


def test_a_token_comes_back_as_it_was_stored(store):
    token = make_token()
    with store.transaction() as session:
        assert tokens.add(session, token)
    with store.reading() as session:
        assert tokens.candidate(session, token.digest) == token
        assert tokens.named(session, "robot") == token
        assert tokens.named(session, token.token_id) == token
        assert tokens.candidate(session, "0" * 64) is None
        assert tokens.named(session, "nobody") is None


def test_a_name_is_taken_for_good(store):
    first = make_token()
    with store.transaction() as session:
        assert tokens.add(session, first)
        assert tokens.revoke(session, first.token_id, T0)
        assert not tokens.add(session, make_token())
    with store.reading() as session:
        assert [one.token_id for one in tokens.every(session)] == [first.token_id]


def test_a_token_is_revoked_once_and_its_use_is_noted(store):
    token = make_token()
    with store.transaction() as session:
        tokens.add(session, token)
        assert tokens.revoke(session, token.token_id, T0.plus_s(5))
        assert not tokens.revoke(session, token.token_id, T0.plus_s(9))
        tokens.used(session, token.token_id, T0.plus_s(3))
    with store.reading() as session:
        found = tokens.named(session, "robot")
    assert (found.revoked_at, found.last_used_at) == (T0.plus_s(5), T0.plus_s(3))


def test_tokens_are_listed_the_newest_first(store):
    with store.transaction() as session:
        for number, name in enumerate(("b", "a", "c")):
            tokens.add(session, make_token(name, T0.plus_s(number // 2)))
    with store.reading() as session:
        assert [one.name for one in tokens.every(session)] == ["c", "a", "b"]
