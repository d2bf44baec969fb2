"""Giving tokens out, taking them back, recognising them."""

import math
import re

import pytest
from sqlalchemy import text

from hub.errors import InvalidRequest, NotAuthenticated, NotFound
from hub.model.token import Scope, looks_like_token
from hub.services import tokens
from tests.support.words import T0


class Clock:
    def __init__(self):
        self.now = T0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def create(store, clock, name="robot", **more):
    return tokens.create(store, **{"name": name, "scopes": {Scope.READ}, "clock": clock, **more})


def test_a_token_has_256_random_bits_and_is_recognised(store, clock):
    issued = create(store, clock)
    assert re.fullmatch(r"mmh_[A-Za-z0-9_-]{43}", issued.secret)
    assert create(store, clock, "other").secret != issued.secret
    assert tokens.authenticate(store, issued.secret, now=T0) == issued.token
    assert issued.token.expires_at.minus(T0) == 90 * 86_400


def test_the_token_itself_is_stored_nowhere_and_printed_by_nothing(store, clock, tmp_path):
    issued = create(store, clock)
    assert issued.secret not in repr(issued)
    with store.transaction() as session:
        session.execute(text("SELECT 1"))
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert issued.token.digest.encode() in stored
    assert issued.secret.encode() not in stored
    assert issued.secret[4:].encode() not in stored


def test_a_token_ends_when_it_expires_or_is_revoked(store, clock):
    short, long = create(store, clock, lifetime_s=60), create(store, clock, "long")
    assert tokens.authenticate(store, short.secret, now=T0.plus_s(59.9))
    with pytest.raises(NotAuthenticated, match="expired"):
        tokens.authenticate(store, short.secret, now=T0.plus_s(60))
    clock.now = T0.plus_s(5)
    assert tokens.revoke(store, "long", clock=clock).revoked_at == T0.plus_s(5)
    clock.now = T0.plus_s(50)
    assert tokens.revoke(store, long.token.token_id, clock=clock).revoked_at == T0.plus_s(5)
    with pytest.raises(NotAuthenticated, match="revoked"):
        tokens.authenticate(store, long.secret, now=T0)
    with pytest.raises(NotFound):
        tokens.revoke(store, "nobody", clock=clock)
    assert [tokens.state_of(one, T0.plus_s(61)) for one in tokens.listing(store)] == ["revoked", "expired"]


@pytest.mark.parametrize(
    "bad", ["", "mmh_", "x" * 47, "mmh_" + "A" * 43, "mmh_" + "A" * 44, "mmh_" + "\u00e9" * 43, "mmh_\n" * 9]
)
def test_anything_else_is_not_recognised(store, clock, bad):
    create(store, clock)
    with pytest.raises(NotAuthenticated, match="not one of this hub"):
        tokens.authenticate(store, bad, now=T0)


def test_a_digest_that_only_begins_the_same_is_not_enough(store, clock):
    issued = create(store, clock)
    with store.transaction() as session:
        session.execute(text("UPDATE tokens SET digest = :other"), {"other": issued.token.digest[:-1] + "x"})
    with pytest.raises(NotAuthenticated):
        tokens.authenticate(store, issued.secret, now=T0)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "-a"}, "name"),
        ({"name": "a" * 41}, "name"),
        ({"name": "a\n"}, "name"),
        ({"name": "robot"}, "name"),
        ({"scopes": set()}, "scope"),
        ({"is_trusted": True}, "trusted"),
        ({"lifetime_s": 0.0}, "expires"),
        ({"lifetime_s": 1e12}, "expires"),
        ({"lifetime_s": math.nan}, "expires"),
    ],
)
def test_what_cannot_be_given_out_is_refused_with_the_field(store, clock, wrong, field):
    create(store, clock)
    with pytest.raises(InvalidRequest) as refusal:
        create(store, clock, **{"name": "new", **wrong})
    assert refusal.value.field == field
    assert len(tokens.listing(store)) == 1


def test_its_use_is_noted_once_an_hour(store, clock):
    token = create(store, clock).token
    token = tokens.note_use(store, token, now=T0.plus_s(10))
    assert tokens.note_use(store, token, now=T0.plus_s(3000)).last_used_at == T0.plus_s(10)
    tokens.note_use(store, token, now=T0.plus_s(3610))
    assert [one.last_used_at for one in tokens.listing(store)] == [T0.plus_s(3610)]


def test_a_new_token_looks_like_one(store, clock):
    assert looks_like_token(create(store, clock).secret)
